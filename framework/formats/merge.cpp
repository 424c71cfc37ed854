#include "framework/formats/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/core/text.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/lora_writer_parts.h"
#include "framework/formats/pipeline_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// One LoRA's part in a layer.
struct LoraBlock {
  const LoraEntry* entry;
  double scale;  // weight · alpha / rank
};
using LayerBlocks = std::map<std::string, std::vector<LoraBlock>>;  // by module

LayerBlocks layer_blocks(const std::vector<WeightedLora>& loras) {
  LayerBlocks blocks;
  for (const auto& lora : loras) {
    if (lora.weight == 0.0) continue;
    for (const auto& entry : lora.entries) {
      blocks[entry.module].push_back({&entry, lora.weight * entry.alpha / static_cast<double>(entry.rank)});
    }
  }
  return blocks;
}

bool holds_double(const std::vector<LoraBlock>& blocks) {
  return std::ranges::any_of(blocks, [](const LoraBlock& block) {
    return block.entry->down.dtype == Dtype::f64 || block.entry->up.dtype == Dtype::f64;
  });
}

/// Shapes but for the rank.
bool same_layer(const LoraEntry& a, const LoraEntry& b) {
  const auto rest = [](const std::vector<std::int64_t>& shape) { return std::span(shape).subspan(1); };
  return a.up.shape.front() == b.up.shape.front() && std::ranges::equal(rest(a.down.shape), rest(b.down.shape));
}

LoraEntry concatenated_entry(const std::string& module, const std::vector<LoraBlock>& blocks, bool wide) {
  std::vector<double> down;
  std::vector<std::vector<double>> ups;
  std::int64_t rank = 0;
  for (const auto& [entry, scale] : blocks) {
    if (!same_layer(*entry, *blocks.front().entry)) {
      throw Error({.where = module,
                   .found = "LoRAs for layers of different shapes",
                   .expected = "LoRAs for the same base model"});
    }
    const auto rows = values_of(entry->down, module);
    down.insert(down.end(), rows.begin(), rows.end());
    ups.push_back(values_of(entry->up, module));
    for (auto& value : ups.back()) value *= scale;
    rank += entry->rank;
  }
  const auto out = blocks.front().entry->up.shape.front();
  std::vector<double> up;  // [out, rank]: of every row the blocks' columns in turn
  up.reserve(static_cast<std::size_t>(out * rank));
  for (std::int64_t row = 0; row < out; ++row) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto first = ups[i].begin() + row * blocks[i].entry->rank;
      up.insert(up.end(), first, first + blocks[i].entry->rank);
    }
  }
  auto down_shape = blocks.front().entry->down.shape;
  auto up_shape = blocks.front().entry->up.shape;
  down_shape[0] = rank;
  up_shape[1] = rank;
  const auto dtype = wide || holds_double(blocks) ? Dtype::f64 : Dtype::f32;
  return {.module = module,
          .down = make_view(down, std::move(down_shape), dtype),
          .up = make_view(up, std::move(up_shape), dtype),
          .alpha = static_cast<double>(rank),
          .rank = rank};
}

/// weight [out, n] += scale · up [out, r] · down [r, n], n counting a kernel's places too.
void add_delta(std::vector<double>& weight, const LoraBlock& block, const std::string& module) {
  const auto down = values_of(block.entry->down, module);
  const auto up = values_of(block.entry->up, module);
  const auto rank = static_cast<std::size_t>(block.entry->rank);
  const auto width = down.size() / rank;
  if (up.size() / rank * width != weight.size()) {
    throw Error({.where = module,
                 .found = fmt::format("halves for a weight of {} elements", up.size() / rank * width),
                 .expected = fmt::format("{}", weight.size()),
                 .advice = "check that the file was made for this base model"});
  }
  for (std::size_t row = 0; row < up.size() / rank; ++row) {
    double* target = weight.data() + row * width;
    for (std::size_t k = 0; k < rank; ++k) {
      const double factor = block.scale * up[row * rank + k];
      const double* source = down.data() + k * width;
      for (std::size_t column = 0; column < width; ++column) target[column] += factor * source[column];
    }
  }
}

void write_merged(const fs::path& path, const TensorSet& set) {
  write_safetensors(path, set.tensors, {.metadata = set.metadata});
}

TensorSet merged_token_set(const std::vector<EmbeddingFile>& tokens) {
  TensorSet set{.tensors = {}, .metadata = {{"format", "pt"}}};
  for (const auto& token : tokens) {
    if (token.towers.size() == 1) set.tensors.emplace(token.token, contiguous(token.towers.begin()->second));
  }
  return set;
}

/// One file for all tokens of one encoder, and one by the token's name for each of two.
void write_merged_tokens(const std::vector<EmbeddingFile>& tokens, const fs::path& folder) {
  const auto single = merged_token_set(tokens);
  if (!single.tensors.empty()) write_merged(folder / "learned_embeds.safetensors", single);
  for (const auto& token : tokens) {
    if (token.towers.size() != 2) continue;
    write_merged(folder / (token.token + ".safetensors"),
                 two_tower_embeds(token.towers.at("text_encoder"), token.towers.at("text_encoder_2")));
  }
}

const char* summed_file(const std::string& component) {
  return component == "unet" ? "diffusion_pytorch_model.safetensors" : "model.safetensors";
}

/// Everything of the pipeline but these files.
void copy_but(const fs::path& from, const fs::path& to, const std::set<fs::path>& left) {
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const auto target = to / entry.path().lexically_relative(from);
    if (entry.is_directory()) {
      fs::create_directories(target);
    } else if (!left.contains(entry.path())) {
      fs::create_directories(target.parent_path());
      fs::copy_file(entry.path(), target);
    }
  }
}

}  // namespace

std::vector<LoraEntry> concatenated(const std::vector<WeightedLora>& loras, bool wide) {
  std::vector<LoraEntry> entries;
  for (const auto& [module, blocks] : layer_blocks(loras)) entries.push_back(concatenated_entry(module, blocks, wide));
  return entries;
}

std::map<std::string, TensorView> with_deltas(std::map<std::string, TensorView> weights, const std::string& component,
                                              const std::vector<WeightedLora>& loras, std::optional<Dtype> dtype) {
  for (const auto& [module, blocks] : layer_blocks(loras)) {
    const auto [owner, path] = split_module(module);
    if (owner != component) continue;
    const auto found = weights.find(path + ".weight");
    if (found == weights.end()) {
      throw Error({.where = module, .found = "no such layer in the model", .expected = "layers of the base model"});
    }
    auto values = values_of(found->second, module);
    for (const auto& block : blocks) add_delta(values, block, module);
    found->second = make_view(values, found->second.shape, dtype.value_or(found->second.dtype));
  }
  return weights;
}

Merged read_inputs(const std::vector<MergeInput>& inputs, const ConvertTarget* target) {
  Merged merged;
  std::map<std::string, std::string> owners;  // file by token
  for (const auto& [path, weight] : inputs) {
    auto artifact = read_for_conversion(path, target, "");
    if (artifact.lora) merged.loras.push_back({std::move(artifact.lora->entries), weight});
    for (auto& token : artifact.embeddings) {
      const auto [owner, fresh] = owners.emplace(token.token, path.string());
      if (!fresh) {
        throw Error({.where = path.string(),
                     .found = fmt::format("the token {}, which {} holds too", token.token, owner->second),
                     .expected = "tokens of different names",
                     .advice = "give one another name: atelier convert FILE --to learned_embeds --token NAME"},
                    ErrorKind::usage);
      }
      merged.tokens.push_back(std::move(token));
    }
  }
  return merged;
}

void write_merged_lora(const std::vector<LoraEntry>& entries, const std::vector<EmbeddingFile>& tokens,
                       const fs::path& out) {
  const auto set = peft_lora(entries);
  if (out.extension() == ".safetensors") {
    if (!tokens.empty()) {
      throw Error({.where = "--out",
                   .found = fmt::format("a file for a LoRA with the token {}", tokens.front().token),
                   .expected = "a folder, which holds pytorch_lora_weights and learned_embeds",
                   .advice = fmt::format("--out {}", (out.parent_path() / out.stem()).string())},
                  ErrorKind::usage);
    }
    write_merged(out, set);
    return;
  }
  fs::create_directories(out);
  write_merged(out / "pytorch_lora_weights.safetensors", set);
  write_merged_tokens(tokens, out);
}

std::size_t write_summed(const Merged& merged, const fs::path& base, const fs::path& out, std::optional<Dtype> dtype) {
  if (fs::exists(out)) {
    throw Error(
        {.where = "--out", .found = fmt::format("'{}' is there already", out.string()), .expected = "a folder to make"},
        ErrorKind::usage);
  }
  const auto pipeline = PipelineFolder::open(base);
  std::set<std::string> components;
  std::set<std::string> modules;
  for (const auto& [module, blocks] : layer_blocks(merged.loras)) {
    components.insert(split_module(module).first);
    modules.insert(module);
  }
  std::set<fs::path> replaced;
  std::map<std::string, std::map<std::string, TensorView>> summed;
  for (const auto& component : components) {
    const auto folder = pipeline.component(component);
    for (const auto& file : folder.weight_files()) replaced.insert(file);
    summed[component] = with_deltas(folder.weights().tensors, component, merged.loras, dtype);
  }
  fs::create_directories(out);
  copy_but(pipeline.path(), out, replaced);
  for (const auto& [component, tensors] : summed) {
    write_merged(out / component / summed_file(component), {tensors, {{"format", "pt"}}});
  }
  write_merged_tokens(merged.tokens, out);
  return modules.size();
}

std::string merge_line(const MergeReport& report, bool json) {
  if (json) {
    Json line{{"out", report.out}, {"as", report.as}, {"layers", report.layers}, {"tokens", report.tokens}};
    if (report.kept) line["kept"] = *report.kept;
    return line.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  const auto held = report.tokens.empty() ? "" : " and the tokens " + join(report.tokens, ", ", 20);
  const auto kept = report.kept ? fmt::format(", {:.4f} of their squared norm", *report.kept) : "";
  return fmt::format("{}: {} layers of {} LoRAs{}{}", report.out, report.layers, report.loras, held, kept);
}

}  // namespace atelier
