#pragma once

#include "framework/formats/encoder_source.h"

namespace atelier {

/// The PyTorch port of the Inception network of 2015-12-05: `Mixed_5b.branch1x1.conv.weight`, …
[[nodiscard]] bool is_inception(const TensorFile& file);
[[nodiscard]] EncoderSource read_inception(TensorFile file);

/// LPIPS with its trunk: the state dict of the package's module (`net.slice1.0.weight`, `lin0.model.1.weight`), or
/// torchvision's AlexNet or VGG16 and the package's small file of weights read together.
[[nodiscard]] bool is_lpips(const TensorFile& file);
/// Trunk tensors get torchvision's names; classifiers and the package's second copies are left out.
[[nodiscard]] EncoderSource read_lpips(TensorFile file);

/// Two files as one; of a name that both have, the first's tensor.
[[nodiscard]] TensorFile joined(TensorFile first, TensorFile second);

}  // namespace atelier
