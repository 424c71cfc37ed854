#pragma once

#include "framework/formats/encoder_source.h"

namespace atelier {

/// A folder in OpenCLIP's layout (Ilharco et al. 2021): open_clip_config.json and one weight file. Heads come from the
/// config's head_width and heads, the activation is the exact GELU unless it says quick_gelu. Throws Error for what is
/// not built here: towers of timm or of transformers, ResNets, attention pooling and other variants, by the key.
[[nodiscard]] EncoderSource read_open_clip(const std::filesystem::path& folder, bool allow_pickle);

/// open_clip_model.safetensors, else open_clip_pytorch_model.bin where pickles are allowed. Throws Error.
[[nodiscard]] std::filesystem::path open_clip_weights(const std::filesystem::path& folder, bool allow_pickle);

}  // namespace atelier
