#pragma once

#include <optional>

#include "framework/models/config_reader.h"
#include "framework/models/encoder_block.h"

namespace atelier {

/// What the vision transformers have in common.
struct VisionConfig {
  std::int64_t image_size = 224;  ///< of training, in pixels; the position table has (image_size / patch_size)² patches
  std::int64_t patch_size = 16;
  std::int64_t layers = 12;
  EncoderBlock::Options block;

  [[nodiscard]] std::int64_t side() const { return image_size / patch_size; }
};

/// Reads one, with the defaults of the model's family in `defaults`. The width of the feed-forward network is
/// intermediate_size. Throws Error.
[[nodiscard]] VisionConfig parse_vision_config(const ConfigReader& reader, VisionConfig defaults);

/// A sub-object such as `vision_config` of a two-tower model. Throws Error when it is absent.
[[nodiscard]] const Json& sub_config(const Json& config, const char* key, const std::string& where);

}  // namespace atelier
