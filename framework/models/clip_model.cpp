#include "framework/models/clip_model.h"

#include <nlohmann/json.hpp>

#include "framework/models/encoder_config.h"

namespace atelier {
namespace {

ClipTextConfig text_config(const Json& config, const Weights& weights) {
  auto parsed = parse_clip_text_config(sub_config(config, "text_config", weights.where()), weights);
  parsed.projection = encoder_size(ConfigReader(config, weights.where()), "projection_dim", 512);
  return parsed;
}

}  // namespace

ClipModel::ClipModel(const Json& config, Weights weights)
    : text_(text_config(config, weights), weights),
      vision_(parse_clip_vision_config(config, weights.where()), weights) {
  weights.check();
}

}  // namespace atelier
