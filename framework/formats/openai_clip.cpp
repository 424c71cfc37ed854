#include "framework/formats/openai_clip.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "framework/core/error.h"
#include "framework/files/quote.h"
#include "framework/formats/state_dict_shapes.h"
#include "framework/formats/view_ops.h"

namespace atelier {
namespace {

constexpr std::int64_t kClipHead = 64;
constexpr std::int64_t kWidestOfOpenAI = 1024;  // ViT-L/14

using Names = std::pair<std::string_view, std::string_view>;

constexpr std::array<Names, 12> kClipWhole{{
    {"visual.class_embedding", "vision_model.embeddings.class_embedding"},
    {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"},
    {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
    {"visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"},
    {"visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"},
    {"visual.ln_post.weight", "vision_model.post_layernorm.weight"},
    {"visual.ln_post.bias", "vision_model.post_layernorm.bias"},
    {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"ln_final.weight", "text_model.final_layer_norm.weight"},
    {"ln_final.bias", "text_model.final_layer_norm.bias"},
    {"text_projection.weight", "text_projection.weight"},
}};
constexpr std::array<Names, 5> kInBlock{{
    {"ln_1.", "layer_norm1."},
    {"ln_2.", "layer_norm2."},
    {"attn.out_proj.", "self_attn.out_proj."},
    {"mlp.c_fc.", "mlp.fc1."},
    {"mlp.c_proj.", "mlp.fc2."},
}};

/// What a state dict says besides tensors of the network.
bool is_bookkeeping(const std::string& name) {
  return name == "input_resolution" || name == "context_length" || name == "vocab_size" || name == "logit_scale" ||
         name == "attn_mask" || name == "logit_bias";
}

/// Puts a tensor in its place, in three pieces where the reference stacks query, key and value.
void place_in_block(const std::string& block, std::string_view leaf, const TensorView& view, const std::string& name,
                    TensorFile& out) {
  for (const auto& [from, to] : kInBlock) {
    if (leaf.starts_with(from)) {
      out.tensors.emplace(fmt::format("{}{}{}", block, to, leaf.substr(from.size())), view);
      return;
    }
  }
  const bool weight = leaf == "attn.in_proj_weight";
  if (!weight && leaf != "attn.in_proj_bias") {
    out.tensors.emplace(name, view);
    return;
  }
  std::int64_t part = 0;
  for (const char* which : {"q_proj", "k_proj", "v_proj"}) {
    out.tensors.emplace(fmt::format("{}self_attn.{}.{}", block, which, weight ? "weight" : "bias"),
                        part_of_rows(view, part++, 3, out.path + ": " + name));
  }
}

void place(const std::string& name, const TensorView& view, TensorFile& out) {
  for (const auto& [from, to] : kClipWhole) {
    if (name == from) {
      out.tensors.emplace(to, view);
      return;
    }
  }
  const std::string where = out.path + ": " + quote(name);
  if (name == "visual.proj") {
    out.tensors.emplace("visual_projection.weight", transposed(view, where));
  } else if (name == "text_projection") {
    out.tensors.emplace("text_projection.weight", transposed(view, where));
  } else if (const auto block = split_block(name, "visual.transformer.resblocks."); block) {
    place_in_block(fmt::format("vision_model.encoder.layers.{}.", block->index), block->leaf, view, name, out);
  } else if (const auto text = split_block(name, "transformer.resblocks."); text) {
    place_in_block(fmt::format("text_model.encoder.layers.{}.", text->index), text->leaf, view, name, out);
  } else {
    out.tensors.emplace(name, view);  // the model names it as unexpected
  }
}

}  // namespace

bool is_openai_clip(const TensorFile& file) {
  return file.tensors.contains("visual.conv1.weight") || file.tensors.contains("visual.class_embedding");
}

TensorFile with_clip_names(TensorFile file) {
  TensorFile out{.path = file.path, .tensors = {}, .metadata = std::move(file.metadata)};
  for (const auto& [name, view] : file.tensors) {
    if (!is_bookkeeping(name)) place(name, view, out);
  }
  return out;
}

Json clip_sizes(const TensorFile& openai) {
  const StateDictShapes shapes(openai);
  if (openai.tensors.contains("visual.layer1.0.conv1.weight")) {
    throw Error({.where = openai.path, .found = "a CLIP whose picture half is a ResNet", .expected = "a ViT"});
  }
  const auto patch = shapes.size("visual.conv1.weight", 2);
  Json vision{{"hidden_size", shapes.size("visual.conv1.weight", 0)},
              {"intermediate_size", shapes.size("visual.transformer.resblocks.0.mlp.c_fc.weight", 0)},
              {"num_hidden_layers", shapes.blocks("visual.transformer.resblocks.")},
              {"patch_size", patch},
              {"image_size", patch * shapes.side("visual.positional_embedding", 0)}};
  Json text{{"hidden_size", shapes.size("ln_final.weight", 0)},
            {"intermediate_size", shapes.size("transformer.resblocks.0.mlp.c_fc.weight", 0)},
            {"num_hidden_layers", shapes.blocks("transformer.resblocks.")},
            {"vocab_size", shapes.size("token_embedding.weight", 0)},
            {"max_position_embeddings", shapes.size("positional_embedding", 0)},
            {"eos_token_id", 2}};  // the text is read at its largest id
  return {{"model_type", "clip"},
          {"projection_dim", shapes.size("visual.proj", 1)},
          {"vision_config", std::move(vision)},
          {"text_config", std::move(text)}};
}

EncoderSource read_openai_clip(TensorFile file) {
  Json config = clip_sizes(file);
  for (const char* half : {"vision_config", "text_config"}) {
    Json& part = config[half];
    const auto width = part["hidden_size"].get<std::int64_t>();
    if (width % kClipHead != 0 || width > kWidestOfOpenAI) {
      throw Error({.where = file.path,
                   .found = fmt::format("{}: a width of {}", half, width),
                   .expected = "a CLIP that OpenAI published: widths are multiples of 64 up to 1024",
                   .advice = "put OpenCLIP's open_clip_config.json beside the weights and name the folder: heads and "
                             "activation are written there"});
    }
    part["num_attention_heads"] = width / kClipHead;
    part["hidden_act"] = "quick_gelu";
    part["layer_norm_eps"] = 1e-5;
  }
  return {.config = std::move(config), .weights = with_clip_names(std::move(file))};
}

}  // namespace atelier
