#pragma once

#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/models/activations.h"

namespace atelier {

/// The architecture of a UNet2DConditionModel of SD 1.x, 2.x or SDXL kind, from its config.json (formats.md 2).
struct UNetConfig {
  struct Block {
    std::int64_t channels = 0;
    bool attends = false;             ///< CrossAttn… block
    std::int64_t layers = 2;          ///< resnets on the way down; one more on the way up
    std::int64_t heads = 8;           ///< the key attention_head_dim is misnamed: it holds the number of heads
    std::vector<std::int64_t> depth;  ///< transformer blocks of each attention on the way down
    std::vector<std::int64_t> up_depth;
    std::int64_t context_width = 0;
  };

  std::int64_t in_channels = 4;
  std::int64_t out_channels = 4;
  std::int64_t sample_size = 64;
  std::vector<Block> blocks;     ///< from the highest resolution down
  std::vector<bool> up_attends;  ///< from the lowest resolution up
  bool mid_attends = true;       ///< false: the mid block is a single resnet
  std::int64_t mid_depth = 1;
  std::int64_t groups = 32;
  double eps = 1e-5;
  Activation activation = Activation::silu;
  bool linear_projection = false;
  bool center_input_sample = false;
  double mid_output_scale = 1.0;
  bool cosine_first = true;
  double frequency_shift = 0.0;
  std::int64_t time_channels = 0;  ///< width of the time embedding
  bool text_time = false;          ///< SDXL's added conditions
  std::int64_t added_time_width = 256;
  std::int64_t added_width = 2816;
};

/// Throws Error naming file, key, what was found and what is supported.
[[nodiscard]] UNetConfig parse_unet_config(const Json& config, const std::string& where);

}  // namespace atelier
