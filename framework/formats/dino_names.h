#pragma once

#include "framework/formats/encoder_source.h"

namespace atelier {

/// The names of the authors' own DINO and DINOv2 checkpoints, which timm shares: `cls_token`,
/// `blocks.0.attn.qkv.weight`.
[[nodiscard]] bool is_dino(const TensorFile& file);

/// A state dict of DINO (Caron et al. 2021: dino_deitsmall16_pretrain and its like) or of DINOv2 (Oquab et al. 2023;
/// told by its LayerScale) as transformers' ViTModel, Dinov2Model or Dinov2WithRegistersModel. Sizes are read off the
/// shapes; heads are 64 wide and eps is 1e-6, as in all that was published. Throws Error.
[[nodiscard]] EncoderSource read_dino(TensorFile file);

}  // namespace atelier
