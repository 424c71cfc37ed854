#include "framework/formats/ldm_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "framework/core/error.h"

namespace atelier {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;
using Pairs = std::span<const Pair>;

constexpr std::size_t kMaxBlocks = 64;

constexpr std::array<Pair, 6> kUNetResnet = {{{"in_layers.0", "norm1"},
                                              {"in_layers.2", "conv1"},
                                              {"emb_layers.1", "time_emb_proj"},
                                              {"out_layers.0", "norm2"},
                                              {"out_layers.3", "conv2"},
                                              {"skip_connection", "conv_shortcut"}}};
constexpr std::array<Pair, 5> kVaeResnet = {{{"norm1", "norm1"},
                                             {"conv1", "conv1"},
                                             {"norm2", "norm2"},
                                             {"conv2", "conv2"},
                                             {"nin_shortcut", "conv_shortcut"}}};
constexpr std::array<Pair, 5> kVaeAttention = {
    {{"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"}}};

void pair_children(NameMap& names, const std::string& ldm, const std::string& diffusers, const Pairs& children) {
  for (const auto& [left, right] : children) {
    names.pair(fmt::format("{}.{}", ldm, left), fmt::format("{}.{}", diffusers, right));
  }
}

[[noreturn]] void fail(const std::string& where, const char* key, const Json& found, const std::string& expected) {
  throw Error({.where = where, .found = fmt::format("{}: {}", key, found.dump()), .expected = expected});
}

std::vector<std::string> block_types(const Json& config, const char* key, const std::string& where) {
  const auto found = config.find(key);
  if (found == config.end()) fail(where, key, nullptr, "a list of block types");
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!found->is_array() || found->empty() || found->size() > kMaxBlocks ||
      !std::all_of(found->begin(), found->end(), is_text)) {
    fail(where, key, *found, "a list of block types");
  }
  return found->get<std::vector<std::string>>();
}

/// Resnets of each block on the way down: one number for all, or a list.
std::vector<std::size_t> layers_per_block(const Json& config, std::size_t blocks, const std::string& where) {
  const auto found = config.find("layers_per_block");
  const Json value = found == config.end() ? Json(2) : *found;
  const auto is_count = [](const Json& n) {
    return n.is_number_integer() && n.get<std::int64_t>() >= 1 && n.get<std::int64_t>() <= 64;
  };
  if (is_count(value)) return std::vector<std::size_t>(blocks, value.get<std::size_t>());
  if (!value.is_array() || value.size() != blocks || !std::all_of(value.begin(), value.end(), is_count)) {
    fail(where, "layers_per_block", value, fmt::format("a number in 1…64 or {} of them", blocks));
  }
  return value.get<std::vector<std::size_t>>();
}

bool attends(const std::string& block_type) { return block_type.find("CrossAttn") != std::string::npos; }

void pair_down(NameMap& names, const std::vector<std::string>& types, const std::vector<std::size_t>& layers) {
  std::size_t i = 1;  // input_blocks.0 is conv_in
  for (std::size_t block = 0; block < types.size(); ++block) {
    const auto prefix = fmt::format("down_blocks.{}", block);
    for (std::size_t layer = 0; layer < layers[block]; ++layer, ++i) {
      pair_children(names, fmt::format("input_blocks.{}.0", i), fmt::format("{}.resnets.{}", prefix, layer),
                    kUNetResnet);
      if (attends(types[block])) {
        names.pair(fmt::format("input_blocks.{}.1", i), fmt::format("{}.attentions.{}", prefix, layer));
      }
    }
    if (block + 1 < types.size()) {
      names.pair(fmt::format("input_blocks.{}.0.op", i++), prefix + ".downsamplers.0.conv");
    }
  }
}

void pair_up(NameMap& names, const std::vector<std::string>& types, const std::vector<std::size_t>& layers_down) {
  std::size_t i = 0;
  for (std::size_t block = 0; block < types.size(); ++block) {
    const auto prefix = fmt::format("up_blocks.{}", block);
    const auto layers = layers_down[types.size() - 1 - block] + 1;
    for (std::size_t layer = 0; layer < layers; ++layer, ++i) {
      const auto ldm = fmt::format("output_blocks.{}", i);
      pair_children(names, ldm + ".0", fmt::format("{}.resnets.{}", prefix, layer), kUNetResnet);
      if (attends(types[block])) names.pair(ldm + ".1", fmt::format("{}.attentions.{}", prefix, layer));
      if (layer + 1 == layers && block + 1 < types.size()) {
        names.pair(fmt::format("{}.{}.conv", ldm, attends(types[block]) ? 2 : 1), prefix + ".upsamplers.0.conv");
      }
    }
  }
}

void pair_vae_middle(NameMap& names, const std::string& half) {
  pair_children(names, half + ".mid.block_1", half + ".mid_block.resnets.0", kVaeResnet);
  pair_children(names, half + ".mid.attn_1", half + ".mid_block.attentions.0", kVaeAttention);
  pair_children(names, half + ".mid.block_2", half + ".mid_block.resnets.1", kVaeResnet);
  names.pair(half + ".conv_in", half + ".conv_in");
  names.pair(half + ".norm_out", half + ".conv_norm_out");
  names.pair(half + ".conv_out", half + ".conv_out");
}

/// Below "transformer.resblocks.<i>." and "text_model.encoder.layers.<i>.".
constexpr std::array<Pair, 5> kOpenClipLayer = {{{"ln_1.", "layer_norm1."},
                                                 {"ln_2.", "layer_norm2."},
                                                 {"mlp.c_fc.", "mlp.fc1."},
                                                 {"mlp.c_proj.", "mlp.fc2."},
                                                 {"attn.out_proj.", "self_attn.out_proj."}}};
constexpr std::array<Pair, 5> kOpenClipTop = {
    {{"positional_embedding", "text_model.embeddings.position_embedding.weight"},
     {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
     {"ln_final.weight", "text_model.final_layer_norm.weight"},
     {"ln_final.bias", "text_model.final_layer_norm.bias"},
     {"text_projection", "text_projection.weight"}}};
constexpr std::array<std::string_view, 3> kThirds = {"q_proj", "k_proj", "v_proj"};
constexpr std::string_view kResblocks = "transformer.resblocks.";
constexpr std::string_view kLayers = "text_model.encoder.layers.";
constexpr std::string_view kInProj = "attn.in_proj_";

/// "<prefix>3.rest" → {"3", "rest"}.
std::optional<std::pair<std::string_view, std::string_view>> numbered(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const auto digits = std::min(name.find_first_not_of("0123456789"), name.size());
  if (digits == 0 || digits == name.size() || name[digits] != '.') return std::nullopt;
  return std::pair(name.substr(0, digits), name.substr(digits + 1));
}

}  // namespace

NameMap unet_names(const Json& config, const std::string& where) {
  const auto down = block_types(config, "down_block_types", where);
  const auto up = block_types(config, "up_block_types", where);
  if (down.size() != up.size())
    fail(where, "up_block_types", config.at("up_block_types"), "as many as down_block_types");
  const auto layers = layers_per_block(config, down.size(), where);
  NameMap names;
  names.pair("time_embed.0", "time_embedding.linear_1");
  names.pair("time_embed.2", "time_embedding.linear_2");
  names.pair("label_emb.0.0", "add_embedding.linear_1");
  names.pair("label_emb.0.2", "add_embedding.linear_2");
  names.pair("input_blocks.0.0", "conv_in");
  names.pair("out.0", "conv_norm_out");
  names.pair("out.2", "conv_out");
  pair_children(names, "middle_block.0", "mid_block.resnets.0", kUNetResnet);
  names.pair("middle_block.1", "mid_block.attentions.0");
  pair_children(names, "middle_block.2", "mid_block.resnets.1", kUNetResnet);
  pair_down(names, down, layers);
  pair_up(names, up, layers);
  return names;
}

NameMap vae_names(const Json& config, const std::string& where) {
  const auto blocks = block_types(config, "down_block_types", where).size();
  const auto layers = layers_per_block(config, blocks, where);
  NameMap names;
  names.pair("quant_conv", "quant_conv");
  names.pair("post_quant_conv", "post_quant_conv");
  pair_vae_middle(names, "encoder");
  pair_vae_middle(names, "decoder");
  for (std::size_t block = 0; block < blocks; ++block) {
    const auto down = fmt::format("encoder.down.{}", block);
    const auto down_blocks = fmt::format("encoder.down_blocks.{}", block);
    const auto up = fmt::format("decoder.up.{}", blocks - 1 - block);
    const auto up_blocks = fmt::format("decoder.up_blocks.{}", block);
    for (std::size_t layer = 0; layer < layers[block]; ++layer) {
      pair_children(names, fmt::format("{}.block.{}", down, layer), fmt::format("{}.resnets.{}", down_blocks, layer),
                    kVaeResnet);
    }
    for (std::size_t layer = 0; layer <= layers[blocks - 1 - block]; ++layer) {
      pair_children(names, fmt::format("{}.block.{}", up, layer), fmt::format("{}.resnets.{}", up_blocks, layer),
                    kVaeResnet);
    }
    names.pair(down + ".downsample.conv", down_blocks + ".downsamplers.0.conv");
    names.pair(up + ".upsample.conv", up_blocks + ".upsamplers.0.conv");
  }
  return names;
}

std::optional<OpenClipName> open_clip_name(std::string_view transformers) {
  for (const auto& [open_clip, name] : kOpenClipTop) {
    if (name == transformers) return OpenClipName{std::string(open_clip), -1, open_clip == "text_projection"};
  }
  const auto layer = numbered(transformers, kLayers);
  if (!layer) return std::nullopt;
  const auto& [number, rest] = *layer;
  for (const auto& [open_clip, name] : kOpenClipLayer) {
    if (rest.starts_with(name)) {
      return OpenClipName{fmt::format("{}{}.{}{}", kResblocks, number, open_clip, rest.substr(name.size()))};
    }
  }
  for (std::size_t third = 0; third < kThirds.size(); ++third) {
    const auto prefix = fmt::format("self_attn.{}.", kThirds[third]);
    if (rest.starts_with(prefix)) {
      return OpenClipName{fmt::format("{}{}.{}{}", kResblocks, number, kInProj, rest.substr(prefix.size())),
                          static_cast<int>(third)};
    }
  }
  return std::nullopt;
}

std::optional<std::string> transformers_name(std::string_view open_clip, int third) {
  for (const auto& [name, transformers] : kOpenClipTop) {
    if (name == open_clip && third < 0) return std::string(transformers);
  }
  const auto block = numbered(open_clip, kResblocks);
  if (!block) return std::nullopt;
  const auto& [number, rest] = *block;
  if (rest.starts_with(kInProj)) {
    if (third < 0 || third > 2) return std::nullopt;
    return fmt::format("{}{}.self_attn.{}.{}", kLayers, number, kThirds[static_cast<std::size_t>(third)],
                       rest.substr(kInProj.size()));
  }
  for (const auto& [name, transformers] : kOpenClipLayer) {
    if (rest.starts_with(name) && third < 0) {
      return fmt::format("{}{}.{}{}", kLayers, number, transformers, rest.substr(name.size()));
    }
  }
  return std::nullopt;
}

bool is_in_proj(std::string_view open_clip) {
  const auto block = numbered(open_clip, kResblocks);
  return block && block->second.starts_with(kInProj);
}

std::string ema_name(std::string_view unet_name) {
  std::string name = "model_ema.diffusion_model";
  std::copy_if(unet_name.begin(), unet_name.end(), std::back_inserter(name), [](char c) { return c != '.'; });
  return name;
}

bool is_vae_attention(std::string_view diffusers) {
  return diffusers.starts_with("encoder.mid_block.attentions.") ||
         diffusers.starts_with("decoder.mid_block.attentions.");
}

std::string modern_vae_name(std::string_view name) {
  constexpr std::array<Pair, 4> kOld = {
      {{"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}}};
  if (is_vae_attention(name)) {
    const auto leaf = name.rfind('.');
    const auto layer = name.rfind('.', leaf - 1) + 1;
    for (const auto& [old_name, new_name] : kOld) {
      if (name.substr(layer, leaf - layer) == old_name) {
        return fmt::format("{}{}{}", name.substr(0, layer), new_name, name.substr(leaf));
      }
    }
  }
  return std::string(name);
}

}  // namespace atelier
