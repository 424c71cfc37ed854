#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/lora_values.h"
#include "framework/formats/lora_writer.h"
#include "tests/framework/formats/lora_reference.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

const std::vector<double> kAlphas = {2.0, 1.0, 2.0, 6.0};

/// Names of the target's layers with one of the endings.
std::vector<std::string> modules(const ModuleNames& target, const std::vector<std::string>& endings) {
  std::vector<std::string> names;
  for (const auto& [component, layers] : target.components()) {
    for (const auto& [path, shape] : layers) {
      for (const auto& ending : endings) {
        if (path.ends_with(ending)) names.push_back(component + "." + path);
      }
    }
  }
  return names;
}

std::vector<LoraEntry> some_entries(const ModuleNames& target, const std::vector<double>& alphas = kAlphas) {
  const std::vector<std::string> endings = {"to_q",
                                            "to_v",
                                            "to_out.0",
                                            "q_proj",
                                            "out_proj",
                                            "fc1",
                                            "proj_in",
                                            "resnets.0.conv1",
                                            "downsamplers.0.conv",
                                            "text_projection"};
  return lora_reference::entries(target, modules(target, endings), 2, alphas);
}

std::vector<LoraEntry> default_entries(const ModuleNames& target) {
  const auto paths = walk_layers(target.components().at("unet"), default_classes("unet"), {});
  std::vector<std::string> names;
  for (const auto& path : paths) names.push_back("unet." + path);
  return lora_reference::entries(target, names, 2, kAlphas);
}

LoraFile round_trip(const TensorSet& set, const ModuleNames& target) {
  const TemporaryFolder folder;
  write_safetensors(folder / "lora.safetensors", set.tensors, {.metadata = set.metadata});
  return read_lora(read_safetensors(folder / "lora.safetensors"), target);
}

/// alpha / rank · up, the part of a LoRA that formats may write in two ways.
std::vector<double> scaled_up(const LoraEntry& entry) {
  auto values = lora_reference::values(entry.up);
  for (auto& value : values) value *= entry.alpha / static_cast<double>(entry.rank);
  return values;
}

void check_same(std::vector<LoraEntry> written, const LoraFile& read) {
  std::sort(written.begin(), written.end(), [](const auto& a, const auto& b) { return a.module < b.module; });
  REQUIRE(read.entries.size() == written.size());
  for (std::size_t i = 0; i < written.size(); ++i) {
    INFO(written[i].module);
    CHECK(read.entries[i].module == written[i].module);
    CHECK(read.entries[i].rank == written[i].rank);
    CHECK(read.entries[i].down.shape == written[i].down.shape);
    CHECK(lora_reference::values(read.entries[i].down) == lora_reference::values(written[i].down));
    CHECK(scaled_up(read.entries[i]) == scaled_up(written[i]));
  }
}

KohyaInfo kohya_info(const std::string& target) {
  return {.family = target == "sdxl" ? Family::sdxl : Family::sd1,
          .title = "a title",
          .learning_rate = "0.0001",
          .steps = "500",
          .seed = "42"};
}

}  // namespace

TEST_CASE("What the LoRA writers write reads back as it was", "[formats][lora][writer]") {
  const std::string name = GENERATE("sd", "sdxl");
  const auto target = lora_reference::target(name);
  const auto entries = some_entries(target);

  const auto peft = round_trip(peft_lora(entries), target);
  check_same(entries, peft);
  CHECK(peft.dialect == "peft");
  CHECK(peft.entries.front().alpha == entries.front().alpha);

  const auto legacy = round_trip(diffusers_legacy_lora(entries), target);
  check_same(entries, legacy);
  CHECK(legacy.dialect == "diffusers");

  const auto kohya = round_trip(kohya_lora(entries, target, kohya_info(name)), target);
  check_same(entries, kohya);
  CHECK(kohya.dialect == (name == "sdxl" ? "kohya sgm" : "kohya"));
  CHECK(kohya.entries.back().alpha == peft.entries.back().alpha);
}

TEST_CASE("A cloneofsimo file keeps order, scale and tokens", "[formats][lora][writer]") {
  const auto target = lora_reference::target("sd");
  const auto entries = default_entries(target);
  const auto token = make_view(std::vector<double>(12, 0.25), {1, 12}, Dtype::f32);
  const auto set = cloneofsimo_lora(entries, target, {{"unet", default_classes("unet")}}, {{"<krk1>", token}});
  check_same(entries, round_trip(set, target));
  CHECK(set.metadata.at("unet") == R"(["CrossAttention","Attention","GEGLU"])");
  CHECK(set.metadata.at("<krk1>") == "<embed>");
  CHECK(set.tensors.at("unet:0:up").dtype == Dtype::f16);
  CHECK(set.tensors.at("<krk1>").dtype == Dtype::f32);

  auto fewer = entries;
  fewer.pop_back();
  CHECK_THROWS_WITH(cloneofsimo_lora(fewer, target, {{"unet", default_classes("unet")}}), Contains("35 layers"));
}

TEST_CASE("Writers copy strided tensors and keep the element type", "[formats][lora][writer]") {
  const auto target = lora_reference::target("sd");
  auto entry = lora_reference::entries(target, {"unet.conv_out"}, 2, {1.0}).front();
  const std::string module = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
  entry = lora_reference::entries(target, {module}, 2, {1.0}).front();
  const auto up = lora_reference::values(entry.up);
  auto transposed = make_view(up, {2, 16}, Dtype::bf16);  // memory of [2, 16], seen as [16, 2]
  transposed.shape = {16, 2};
  transposed.strides = {1, 16};
  entry.up = transposed;
  const auto read = round_trip(diffusers_legacy_lora({entry}), target);
  CHECK(read.entries.at(0).up.dtype == Dtype::bf16);
  const auto values = lora_reference::values(read.entries.at(0).up);
  CHECK(values.at(1) == 0.5 * up.at(16));
  CHECK(values.at(2) == 0.5 * up.at(1));
}

TEST_CASE("Half precision rounds to nearest, ties to even", "[formats][lora][writer]") {
  const auto half = [](double value) { return lora_reference::values(make_view({value}, {1}, Dtype::f16)).at(0); };
  CHECK(half(1.0 + 0x1p-11) == 1.0);
  CHECK(half(1.0 + 3 * 0x1p-11) == 1.0 + 0x1p-9);
  CHECK(half(2.0 - 0x1p-12) == 2.0);
  CHECK(half(-0x1p-24) == -0x1p-24);
  CHECK(half(0x1p-25) == 0.0);
  CHECK(half(0x1.8p-15) == 0x1.8p-15);
  CHECK(half(0x1.ffcp15) == 65504.0);
  CHECK(std::isinf(half(65520.0)));
  CHECK(half(65519.0) == 65504.0);
  const auto brain = [](double value) { return lora_reference::values(make_view({value}, {1}, Dtype::bf16)).at(0); };
  CHECK(brain(1.0 + 0x1p-8) == 1.0);
  CHECK(brain(1.0 + 3 * 0x1p-8) == 1.0 + 0x1p-6);
  CHECK(brain(-3.0) == -3.0);
}

TEST_CASE("Metadata name what A1111 and diffusers look for", "[formats][lora][writer]") {
  const auto target = lora_reference::target("sdxl");
  const auto entries = lora_reference::entries(target, modules(target, {"to_q"}), 2, {1.0});
  const auto kohya = kohya_lora(entries, target, kohya_info("sdxl")).metadata;
  CHECK(kohya.at("ss_base_model_version") == "sdxl_base_v1-0");
  CHECK(kohya.at("modelspec.architecture") == "stable-diffusion-xl-v1-base/lora");
  CHECK(kohya.at("ss_network_dim") == "2");
  CHECK(kohya.at("ss_network_alpha") == "1");
  CHECK(kohya.at("ss_output_name") == "a title");
  CHECK(kohya.at("format") == "pt");
  const auto peft = parse_json(peft_lora(entries).metadata.at("lora_adapter_metadata"), "metadata");
  CHECK(peft.at("unet.r") == 2);
  CHECK(peft.at("unet.lora_alpha") == 1);
  CHECK(peft.at("unet.target_modules").size() == entries.size());
}

// Files for `make_lora_references.py --check FOLDER`; ATELIER_LORA_OUT is the folder.
TEST_CASE("Write files of every form for diffusers to load", "[.][lora-files]") {
  const char* out = std::getenv("ATELIER_LORA_OUT");
  REQUIRE(out != nullptr);
  const std::filesystem::path folder = out;
  const auto write = [&](const std::string& name, const TensorSet& set, const std::vector<LoraEntry>& entries) {
    write_safetensors(folder / (name + ".safetensors"), set.tensors, {.metadata = set.metadata});
    Json alphas = Json::object();
    for (const auto& entry : entries) alphas[entry.module] = entry.alpha;
    std::ofstream(folder / (name + ".json")) << alphas.dump();
  };
  for (const std::string name : {"sd", "sdxl"}) {
    const auto target = lora_reference::target(name);
    const auto entries = some_entries(target);
    write(name + "_peft", peft_lora(entries), entries);
    write(name + "_legacy", diffusers_legacy_lora(entries), entries);
    const auto uniform = some_entries(target, {3.0});  // diffusers misreads kohya files whose alphas differ
    write(name + "_kohya", kohya_lora(uniform, target, kohya_info(name)), uniform);
  }
  const auto target = lora_reference::target("sd");
  const auto entries = default_entries(target);
  write("sd_cloneofsimo", cloneofsimo_lora(entries, target, {{"unet", default_classes("unet")}}), entries);
}
