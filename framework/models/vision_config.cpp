#include "framework/models/vision_config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/models/encoder_config.h"

namespace atelier {

VisionConfig parse_vision_config(const ConfigReader& reader, VisionConfig defaults) {
  VisionConfig config = defaults;
  config.image_size = encoder_size(reader, "image_size", defaults.image_size, 10'000);
  config.patch_size = encoder_size(reader, "patch_size", defaults.patch_size, config.image_size);
  config.layers = encoder_layers(reader);
  if (encoder_size(reader, "num_channels", 3) != 3) reader.fail("num_channels", "another number", "3");
  auto& block = config.block;
  block.width = encoder_size(reader, "hidden_size", 768);
  block.heads = encoder_heads(reader, "num_attention_heads", 12, block.width);
  block.hidden = encoder_size(reader, "intermediate_size", 3072);
  block.eps = reader.number("layer_norm_eps", defaults.block.eps);
  block.qkv_bias = reader.boolean("qkv_bias", true);
  if (reader.has("hidden_act")) block.activation = parse_activation(reader.text("hidden_act", ""), reader.where());
  return config;
}

const Json& sub_config(const Json& config, const char* key, const std::string& where) {
  const ConfigReader reader(config, where);
  const Json* found = reader.find(key);
  if (found == nullptr || !found->is_object())
    reader.fail(key, found == nullptr ? "nothing" : found->dump(), "an object");
  return *found;
}

}  // namespace atelier
