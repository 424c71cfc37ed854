// Merging: one LoRA or one set of weights that acts as several LoRAs together.
#include "framework/formats/merge.h"

#include <catch2/catch.hpp>

#include "framework/core/error.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/lora_values.h"
#include "framework/formats/lora_writer_parts.h"
#include "tests/framework/formats/convert_sources.h"
#include "tests/framework/formats/lora_reference.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

/// Two LoRAs that share some layers, with other ranks and alphas in each; convolutions too.
std::vector<WeightedLora> two_loras(double first, double second) {
  const auto target = lora_reference::target("sd");
  auto all = convert_sources::attention(target, true);
  all.emplace_back("unet.down_blocks.0.resnets.0.conv1");
  const std::vector<std::string> front(all.begin(), all.end() - 12), back(all.begin() + 12, all.end());
  auto other = convert_sources::lora(target, back, {0.7, 1.5}, {1, 5, 2});
  for (auto& entry : other) entry.up = convert_sources::noise(entry.up.shape, 9000 + entry.module.size());
  return {{convert_sources::lora(target, front, {1.0, 0.25, 3.0}, {4, 2}), first}, {std::move(other), second}};
}

/// weight · alpha / rank · (up [out, r] · down [r, n]) x for one x, in double: as an adapter's forward computes it.
std::vector<double> forward(const LoraEntry& entry, double weight, const std::vector<double>& x) {
  const auto down = lora_reference::values(entry.down), up = lora_reference::values(entry.up);
  const auto rank = static_cast<std::size_t>(entry.rank), width = down.size() / rank;
  std::vector<double> y(up.size() / rank, 0.0);
  for (std::size_t k = 0; k < rank; ++k) {
    double inner = 0;
    for (std::size_t i = 0; i < width; ++i) inner += down[k * width + i] * x[i];
    for (std::size_t row = 0; row < y.size(); ++row) y[row] += up[row * rank + k] * inner;
  }
  for (auto& value : y) value *= weight * entry.alpha / static_cast<double>(entry.rank);
  return y;
}

std::vector<double> input_of(const LoraEntry& entry) {
  return lora_reference::values(convert_sources::noise({entry.down.numel() / entry.rank}, 77, Dtype::f64));
}

/// What all LoRAs together add to each layer's output.
std::map<std::string, std::vector<double>> forwards(const std::vector<WeightedLora>& loras) {
  std::map<std::string, std::vector<double>> all;
  for (const auto& lora : loras) {
    for (const auto& entry : lora.entries) {
      const auto y = forward(entry, lora.weight, input_of(entry));
      auto& sum = all[entry.module];
      sum.resize(y.size(), 0.0);
      for (std::size_t i = 0; i < y.size(); ++i) sum[i] += y[i];
    }
  }
  return all;
}

double largest_difference(const std::map<std::string, std::vector<double>>& a,
                          const std::map<std::string, std::vector<double>>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (const auto& [module, values] : a) {
    REQUIRE(b.at(module).size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) largest = std::max(largest, std::abs(values[i] - b.at(module)[i]));
  }
  return largest;
}

std::map<std::string, std::vector<double>> forwards_of(std::vector<LoraEntry> entries) {
  return forwards({{std::move(entries), 1.0}});
}

}  // namespace

TEST_CASE("A concatenated LoRA acts as the adapters together", "[formats][merge]") {
  const auto loras = two_loras(0.8, -1.3);
  const auto merged = concatenated(loras);
  CHECK(largest_difference(forwards_of(merged), forwards(loras)) < 5e-6);  // up is rounded to float32 once
  std::map<std::string, std::int64_t> ranks;
  for (const auto& lora : loras) {
    for (const auto& entry : lora.entries) ranks[entry.module] += entry.rank;
  }
  for (const auto& entry : merged) {
    CHECK(entry.rank == ranks.at(entry.module));
    CHECK(entry.alpha == static_cast<double>(entry.rank));
    CHECK(entry.down.shape[0] == entry.rank);
  }
  const auto [low, high] = std::ranges::minmax(merged, {}, &LoraEntry::rank);
  CHECK(low.rank < high.rank);
  auto exact = two_loras(0.8, -1.3);
  for (auto& lora : exact) {
    for (auto& entry : lora.entries) entry.up = scaled(entry.up, 1.0, Dtype::f64, entry.module);
  }
  CHECK(largest_difference(forwards_of(concatenated(exact)), forwards(exact)) < 1e-12);
}

TEST_CASE("The order of a merge does not matter, and weight 0 is as if the LoRA were not there", "[formats][merge]") {
  const auto loras = two_loras(0.8, -1.3);
  const std::vector<WeightedLora> reversed = {loras[1], loras[0]};
  CHECK(largest_difference(forwards_of(concatenated(loras)), forwards_of(concatenated(reversed))) < 1e-12);
  const auto without = concatenated({loras[0]});
  const auto zero = concatenated(two_loras(0.8, 0.0));
  REQUIRE(zero.size() == without.size());
  for (std::size_t i = 0; i < zero.size(); ++i) {
    CHECK(zero[i].module == without[i].module);
    CHECK(lora_reference::values(zero[i].up) == lora_reference::values(without[i].up));
    CHECK(lora_reference::values(zero[i].down) == lora_reference::values(without[i].down));
  }
}

TEST_CASE("LoRAs of different base models do not concatenate", "[formats][merge]") {
  auto loras = two_loras(1.0, 1.0);
  auto& other = loras[1].entries.front();
  const auto shared = std::ranges::find(loras[0].entries, other.module, &LoraEntry::module);
  REQUIRE(shared != loras[0].entries.end());
  other.down = convert_sources::noise({other.rank, other.down.shape[1] + 1}, 3);
  CHECK_THROWS_WITH(concatenated(loras), Contains(other.module) && Contains("same base model"));
}

TEST_CASE("Weights with the summed deltas act as base and adapters together", "[formats][merge]") {
  const auto loras = two_loras(0.8, -1.3);
  const auto target = lora_reference::target("sd");
  std::map<std::string, TensorView> weights;
  for (const auto& [path, shape] : target.components().at("unet")) {
    weights.emplace(path + ".weight", convert_sources::noise(shape, 31 + path.size(), Dtype::f64));
  }
  weights.emplace("conv_in.bias", convert_sources::noise({4}, 1));
  const auto summed = with_deltas(weights, "unet", loras);
  const auto wanted = forwards(loras);
  std::size_t changed = 0;
  for (const auto& [name, before] : weights) {
    const auto module = "unet." + name.substr(0, name.rfind('.'));
    const auto old_values = lora_reference::values(before), values = lora_reference::values(summed.at(name));
    const auto found = wanted.find(module);
    if (found == wanted.end()) {
      CHECK(values == old_values);
      continue;
    }
    ++changed;
    const auto width = values.size() / found->second.size();
    const auto x = lora_reference::values(convert_sources::noise({static_cast<std::int64_t>(width)}, 77, Dtype::f64));
    double largest = 0;
    for (std::size_t row = 0; row < found->second.size(); ++row) {
      double y = -found->second[row];
      for (std::size_t i = 0; i < width; ++i) y += (values[row * width + i] - old_values[row * width + i]) * x[i];
      largest = std::max(largest, std::abs(y));
    }
    CHECK(largest < 1e-12);
  }
  CHECK(changed == 37);  // every layer of the UNet that one of them names
  CHECK_THROWS_WITH(with_deltas({}, "unet", loras), Contains("no such layer"));
}

TEST_CASE("Tokens of all files are kept, and two of one name are an error", "[formats][merge]") {
  const TemporaryFolder folder;
  const ConvertTarget target{.names = lora_reference::target("sd"), .widths = {}, .info = {}};
  const auto subject = convert_sources::make("cloneofsimo", folder.path());
  const auto style = convert_sources::make("learned_embeds", folder.path());
  const auto merged = read_inputs({{subject.path, 0.5}, {style.path, 1.0}}, &target);
  const auto entries = concatenated(merged.loras);
  CHECK(entries.size() == subject.entries.size());
  CHECK_THROWS_WITH(write_merged_lora(entries, merged.tokens, folder / "both.safetensors"),
                    Contains("<krk1>") && Contains("a folder"));
  write_merged_lora(entries, merged.tokens, folder / "both");
  const auto both = read_for_conversion(folder / "both", nullptr, "");
  REQUIRE(both.embeddings.size() == 2);
  CHECK(both.embeddings[0].token == "<cat>");
  CHECK(both.embeddings[1].token == "<krk1>");
  CHECK(lora_reference::values(both.embeddings[1].towers.at("text_encoder")) ==
        lora_reference::values(subject.tokens[0].towers.at("text_encoder")));
  CHECK(largest_difference(forwards_of(both.lora->entries), forwards({{subject.entries, 0.5}})) < 1e-6);
  CHECK_THROWS_WITH(read_inputs({{subject.path, 1.0}, {subject.path, 1.0}}, &target),
                    Contains("<krk1>") && Contains("--token"));
}
