#include "framework/models/unet_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/models/config_reader.h"

namespace atelier {
namespace {

constexpr std::int64_t kMostLayers = 100;         // in a block
constexpr std::int64_t kMostLatentPixels = 8192;  // a side

/// What UNet2DConditionModel also offers and Stable Diffusion 1.x, 2.x and SDXL do not use.
void refuse_other_architectures(const ConfigReader& reader) {
  reader.only("class_embed_type", nullptr);
  reader.only("num_class_embeds", nullptr);
  reader.only("encoder_hid_dim", nullptr);
  reader.only("encoder_hid_dim_type", nullptr);
  reader.only("dual_cross_attention", false);
  reader.only("resnet_time_scale_shift", "default");
  reader.only("resnet_skip_time_act", false);
  reader.only("resnet_out_scale_factor", 1.0);
  reader.only("time_embedding_type", "positional");
  reader.only("time_embedding_act_fn", nullptr);
  reader.only("timestep_post_act", nullptr);
  reader.only("time_cond_proj_dim", nullptr);
  reader.only("conv_in_kernel", 3);
  reader.only("conv_out_kernel", 3);
  reader.only("attention_type", "default");
  reader.only("class_embeddings_concat", false);
  reader.only("mid_block_only_cross_attention", nullptr);
  reader.only("cross_attention_norm", nullptr);
  reader.only("downsample_padding", 1);
  reader.only("reverse_transformer_layers_per_block", nullptr);
  if (const Json* value = reader.find("only_cross_attention"); value != nullptr) {
    const bool any =
        value->is_array() ? std::ranges::any_of(*value, [](const Json& item) { return item == true; }) : *value == true;
    if (any) reader.fail("only_cross_attention", value->dump(), "false");
  }
}

bool block_attends(const ConfigReader& reader, const char* key, const std::string& type, const std::string& suffix) {
  if (type == suffix) return false;
  if (type == "CrossAttn" + suffix) return true;
  reader.fail(key, fmt::format("\"{}\"", type), fmt::format("{} or CrossAttn{}", suffix, suffix));
}

/// transformer_layers_per_block: one number, one number a block, or one list a block.
std::vector<std::int64_t> depth_of(const ConfigReader& reader, std::size_t block, std::size_t count,
                                   std::int64_t layers) {
  const char* key = "transformer_layers_per_block";
  const Json* value = reader.find(key);
  const auto positive = [&](const Json& item) {
    if (!item.is_number_integer() || item.get<std::int64_t>() < 1 || item.get<std::int64_t>() > 1000) {
      reader.fail(key, value->dump(), "positive integers, one a block");
    }
    return item.get<std::int64_t>();
  };
  if (value == nullptr) return std::vector<std::int64_t>(static_cast<std::size_t>(layers), 1);
  if (value->is_array() && value->size() != count) {
    reader.fail(key, value->dump(), fmt::format("one entry for each of the {} blocks", count));
  }
  const Json& entry = value->is_array() ? (*value)[block] : *value;
  if (!entry.is_array()) return std::vector<std::int64_t>(static_cast<std::size_t>(layers), positive(entry));
  if (entry.size() != static_cast<std::size_t>(layers)) {
    reader.fail(key, value->dump(), fmt::format("{} entries in block {}", layers, block));
  }
  std::vector<std::int64_t> depth;
  for (const Json& item : entry) depth.push_back(positive(item));
  return depth;
}

std::vector<UNetConfig::Block> parse_blocks(const ConfigReader& reader) {
  const auto types = reader.texts(
      "down_block_types", {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"});
  const std::size_t count = types.size();
  if (count == 0 || count > 16) reader.fail("down_block_types", std::to_string(count), "1 to 16 blocks");
  const auto channels = reader.integers("block_out_channels", count, {320, 640, 1280, 1280});
  if (channels.size() != count) reader.fail("block_out_channels", "4 (the default)", std::to_string(count));
  const auto layers = reader.integers("layers_per_block", count, std::vector<std::int64_t>(count, 2));
  for (const auto number : layers) {
    if (number < 1 || number > kMostLayers) {
      reader.fail("layers_per_block", std::to_string(number), fmt::format("integers from 1 to {}", kMostLayers));
    }
  }
  const char* heads_key = reader.has("num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
  const auto heads = reader.integers(heads_key, count, std::vector<std::int64_t>(count, 8));
  const auto context = reader.integers("cross_attention_dim", count, std::vector<std::int64_t>(count, 1280));
  std::vector<UNetConfig::Block> blocks;
  for (std::size_t i = 0; i < count; ++i) {
    UNetConfig::Block block{.channels = channels[i],
                            .attends = block_attends(reader, "down_block_types", types[i], "DownBlock2D"),
                            .layers = layers[i],
                            .heads = heads[i],
                            .depth = depth_of(reader, i, count, layers[i]),
                            .up_depth = {},
                            .context_width = context[i]};
    if (block.attends && (heads[i] < 1 || channels[i] % heads[i] != 0)) {
      reader.fail(heads_key, std::to_string(heads[i]),
                  fmt::format("a divisor of the {} channels of block {}", channels[i], i));
    }
    block.up_depth = std::vector<std::int64_t>(static_cast<std::size_t>(layers[i] + 1), block.depth.front());
    blocks.push_back(std::move(block));
  }
  return blocks;
}

void parse_up_path(const ConfigReader& reader, UNetConfig& unet) {
  const auto types =
      reader.texts("up_block_types", {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"});
  if (types.size() != unet.blocks.size()) {
    reader.fail("up_block_types", std::to_string(types.size()), fmt::format("{} blocks, as down", unet.blocks.size()));
  }
  for (const auto& type : types) unet.up_attends.push_back(block_attends(reader, "up_block_types", type, "UpBlock2D"));
  if (const Json* nested = reader.find("transformer_layers_per_block");
      nested != nullptr && nested->is_array() && !nested->empty() && nested->front().is_array()) {
    reader.fail("transformer_layers_per_block", nested->dump(), "one number a block");
  }
  const std::string mid = reader.text("mid_block_type", "UNetMidBlock2DCrossAttn");
  if (mid != "UNetMidBlock2DCrossAttn" && mid != "UNetMidBlock2D") {
    reader.fail("mid_block_type", mid, "UNetMidBlock2DCrossAttn or UNetMidBlock2D");
  }
  unet.mid_attends = mid == "UNetMidBlock2DCrossAttn";
  unet.mid_depth = unet.blocks.back().depth.back();
  unet.mid_output_scale = reader.number("mid_block_scale_factor", 1.0);
}

}  // namespace

UNetConfig parse_unet_config(const Json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  refuse_other_architectures(reader);
  UNetConfig unet;
  unet.in_channels = reader.integer("in_channels", 4);
  unet.out_channels = reader.integer("out_channels", 4);
  unet.sample_size = reader.bounded("sample_size", 64, kMostLatentPixels);
  unet.blocks = parse_blocks(reader);
  parse_up_path(reader, unet);
  unet.groups = reader.integer("norm_num_groups", 32);
  for (const auto& block : unet.blocks) {
    if (unet.groups < 1 || block.channels % unet.groups != 0) {
      reader.fail("norm_num_groups", std::to_string(unet.groups), "a divisor of every number of channels");
    }
  }
  unet.eps = reader.number("norm_eps", 1e-5);
  unet.activation = parse_activation(reader.text("act_fn", "silu"), reader.where() + ": act_fn");
  unet.linear_projection = reader.boolean("use_linear_projection", false);
  unet.center_input_sample = reader.boolean("center_input_sample", false);
  unet.cosine_first = reader.boolean("flip_sin_to_cos", true);
  unet.frequency_shift = reader.number("freq_shift", 0.0);
  unet.time_channels = reader.integer("time_embedding_dim", 4 * unet.blocks.front().channels);
  reader.only("addition_embed_type_num_heads", 64);
  const std::string added = reader.text("addition_embed_type", "");
  if (!added.empty() && added != "text_time") reader.fail("addition_embed_type", added, "null or text_time (SDXL)");
  unet.text_time = added == "text_time";
  if (unet.text_time) {
    unet.added_time_width = reader.integer("addition_time_embed_dim", 256);
    unet.added_width = reader.integer("projection_class_embeddings_input_dim", 2816);
  }
  return unet;
}

}  // namespace atelier
