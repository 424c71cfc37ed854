#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/tensor/tensor.h"

namespace atelier {

/// Peak signal-to-noise ratio of each picture, in dB: 10 log10(4 / mean squared error), 4 being the square of the range
/// [-1, 1]. Both [B, C, H, W] -> [B] float64; at most 100 (of equal pictures it would be infinite).
[[nodiscard]] Tensor psnr(const Tensor& found, const Tensor& expected);

/// scores [n, n], row i those of picture i with every text -> the share of rows whose largest score is on the diagonal.
/// A tie is a miss.
[[nodiscard]] double top1(const Tensor& scores);

/// Area under the ROC curve: how often a positive scores above a negative; a tie counts half. Both must hold something.
[[nodiscard]] double area_under_curve(std::span<const double> positives, std::span<const double> negatives);

/// Intersection over union of each pair of masks; 1 where both are empty. Both [B, H, W] bool -> [B] float64.
[[nodiscard]] Tensor intersection_over_union(const Tensor& found, const Tensor& expected);

/// What a judge saw in two pictures of one seed whose prompts differ in one attribute: a value of each attribute.
struct SwapSeen {
  std::vector<std::int64_t> before, after;
};

/// Whether the attribute is now what was asked, and was not before.
[[nodiscard]] bool changed_as_asked(const SwapSeen& seen, std::size_t attribute, std::int64_t asked);
/// Whether none of these attributes changed.
[[nodiscard]] bool kept_all(const SwapSeen& seen, std::span<const std::size_t> attributes);

}  // namespace atelier
