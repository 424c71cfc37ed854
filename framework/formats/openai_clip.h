#pragma once

#include "framework/formats/encoder_source.h"

namespace atelier {

/// The names of OpenAI's CLIP, which OpenCLIP kept (Radford et al. 2021, arXiv:2103.00020): `visual.conv1.weight`,
/// `transformer.resblocks.0.attn.in_proj_weight`, …
[[nodiscard]] bool is_openai_clip(const TensorFile& file);

/// The same tensors under the names of transformers' CLIPModel: stacked projections are cut in three, the two
/// projections into the common space transposed, all as views. What is unknown keeps its name.
[[nodiscard]] TensorFile with_clip_names(TensorFile file);

/// A state dict of OpenAI's ViT-B/32, B/16, L/14 or L/14@336. Sizes are read off the shapes; heads are 64 wide and the
/// activation is quick_gelu, as in all that OpenAI published. Throws Error for a ResNet, and for towers that OpenAI
/// never had (ViT-H, ViT-g): those are OpenCLIP's and need its config.
[[nodiscard]] EncoderSource read_openai_clip(TensorFile file);

/// Sizes that the shapes tell: width, feed-forward width, patch and picture size, vocabulary, positions, layers; not
/// heads and activation. Throws Error where a tensor that tells them is missing.
[[nodiscard]] Json clip_sizes(const TensorFile& openai);

}  // namespace atelier
