#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <string_view>

#include "framework/tensor/tensor.h"

namespace atelier {

/// A fresh CPU generator (mt19937, the stream of PyTorch's). Randomness is always an argument; nothing seeds globally.
[[nodiscard]] at::Generator make_generator(std::uint64_t seed);

/// Standard normal float32 on the CPU. The stream depends on the size of the draw (formats.md 17): below 16 elements
/// normals come from another path, so draws are made per sample, in a fixed shape, and stacked.
[[nodiscard]] Tensor randn(at::IntArrayRef shape, at::Generator& generator);

}  // namespace atelier
