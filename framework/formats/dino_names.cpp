#include "framework/formats/dino_names.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "framework/core/error.h"
#include "framework/formats/state_dict_shapes.h"
#include "framework/formats/view_ops.h"

namespace atelier {
namespace {

constexpr std::int64_t kDinoHead = 64;

using Names = std::pair<std::string_view, std::string_view>;

constexpr std::array<Names, 6> kDinoWhole{{{"cls_token", "embeddings.cls_token"},
                                           {"pos_embed", "embeddings.position_embeddings"},
                                           {"mask_token", "embeddings.mask_token"},
                                           {"register_tokens", "embeddings.register_tokens"},
                                           {"norm.weight", "layernorm.weight"},
                                           {"norm.bias", "layernorm.bias"}}};
constexpr std::string_view kPatches = "patch_embed.proj.";

/// Where the two models differ inside a block.
constexpr std::array<Names, 5> kInDino{{{"norm1.", "layernorm_before."},
                                        {"norm2.", "layernorm_after."},
                                        {"attn.proj.", "attention.output.dense."},
                                        {"mlp.fc1.", "intermediate.dense."},
                                        {"mlp.fc2.", "output.dense."}}};
constexpr std::array<Names, 9> kInDinov2{{{"norm1.", "norm1."},
                                          {"norm2.", "norm2."},
                                          {"attn.proj.", "attention.output.dense."},
                                          {"mlp.fc1.", "mlp.fc1."},
                                          {"mlp.fc2.", "mlp.fc2."},
                                          {"mlp.w12.", "mlp.weights_in."},
                                          {"mlp.w3.", "mlp.weights_out."},
                                          {"ls1.gamma", "layer_scale1.lambda1"},
                                          {"ls2.gamma", "layer_scale2.lambda1"}}};

bool is_dinov2(const TensorFile& file) { return file.tensors.contains("blocks.0.ls1.gamma"); }

std::string whole_name(const std::string& name) {
  for (const auto& [from, to] : kDinoWhole) {
    if (name == from) return std::string(to);
  }
  if (name.starts_with(kPatches)) return "embeddings.patch_embeddings.projection." + name.substr(kPatches.size());
  return name;  // the model names it as unexpected
}

template <std::size_t Count>
std::string leaf_name(const std::array<Names, Count>& names, std::string_view leaf) {
  for (const auto& [from, to] : names) {
    if (leaf.starts_with(from)) return fmt::format("{}{}", to, leaf.substr(from.size()));
  }
  return {};
}

TensorFile renamed(const TensorFile& file) {
  const bool second = is_dinov2(file);
  TensorFile out{.path = file.path, .tensors = {}, .metadata = file.metadata};
  for (const auto& [name, view] : file.tensors) {
    const auto block = split_block(name, "blocks.");
    if (!block) {
      out.tensors.emplace(whole_name(name), view);
      continue;
    }
    const std::string place = fmt::format("encoder.layer.{}.", block->index);
    if (const auto leaf = second ? leaf_name(kInDinov2, block->leaf) : leaf_name(kInDino, block->leaf); !leaf.empty()) {
      out.tensors.emplace(place + leaf, view);
    } else if (block->leaf.starts_with("attn.qkv.")) {
      std::int64_t part = 0;
      for (const char* which : {"query", "key", "value"}) {
        out.tensors.emplace(fmt::format("{}attention.attention.{}.{}", place, which, block->leaf.substr(9)),
                            part_of_rows(view, part++, 3, file.path + ": " + name));
      }
    } else {
      out.tensors.emplace(name, view);
    }
  }
  return out;
}

}  // namespace

bool is_dino(const TensorFile& file) {
  return file.tensors.contains("cls_token") && file.tensors.contains("patch_embed.proj.weight");
}

EncoderSource read_dino(TensorFile file) {
  const StateDictShapes shapes(file);
  const auto width = shapes.size("cls_token", 2);
  if (width % kDinoHead != 0) {
    throw Error({.where = file.path + ": cls_token",
                 .found = fmt::format("a width of {}", width),
                 .expected = "a multiple of 64, as every published DINO and DINOv2"});
  }
  const auto patch = shapes.size("patch_embed.proj.weight", 2);
  Json config{{"model_type", "vit"},
              {"hidden_size", width},
              {"num_hidden_layers", shapes.blocks("blocks.")},
              {"num_attention_heads", width / kDinoHead},
              {"layer_norm_eps", 1e-6},
              {"hidden_act", "gelu"},
              {"patch_size", patch},
              {"image_size", patch * shapes.side("pos_embed", 1)}};
  if (is_dinov2(file)) {
    const bool gated = file.tensors.contains("blocks.0.mlp.w12.weight");
    config["model_type"] = file.tensors.contains("register_tokens") ? "dinov2_with_registers" : "dinov2";
    if (file.tensors.contains("register_tokens")) config["num_register_tokens"] = shapes.size("register_tokens", 1);
    config["use_swiglu_ffn"] = gated;
    if (!gated) {
      const auto hidden = static_cast<double>(shapes.size("blocks.0.mlp.fc1.weight", 0));
      config["mlp_ratio"] = hidden / static_cast<double>(width);
    }
  } else {
    config["intermediate_size"] = shapes.size("blocks.0.mlp.fc1.weight", 0);
  }
  return {.config = std::move(config), .weights = renamed(file)};
}

}  // namespace atelier
