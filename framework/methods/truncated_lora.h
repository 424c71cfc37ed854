#pragma once

#include <cstdint>
#include <vector>

#include "framework/formats/merge.h"

namespace atelier {

/// A LoRA of small rank, and how much of a sum of LoRAs it is.
struct TruncatedLora {
  std::vector<LoraEntry> entries;  ///< of each layer min(rank, sum of ranks, width), which is alpha too
  double kept = 1.0;               ///< ‖what is left‖² / ‖all‖², Frobenius, over all layers; 1 of nothing
};

/// Of every layer the closest update of at most this rank (Eckart and Young 1936) to the weighted sum of the LoRAs,
/// Σᵢ wᵢ · alphaᵢ / rankᵢ · upᵢ · downᵢ: its largest singular values. The sum itself is never formed: with the
/// concatenated halves up = Qu Ru and downᵀ = Qd Rd, its singular values are those of Ru Rdᵀ [r, r]. Each half takes
/// the root of the values. Computed in double precision on one thread of the CPU, so that the same LoRAs give the same
/// bytes, and rounded once, to float32, or not where a half of the LoRAs is float64. Exact where the ranks of a layer
/// sum up to no more than `rank`. Throws Error (usage) for a rank below 1, and what concatenated() throws.
[[nodiscard]] TruncatedLora truncated(const std::vector<WeightedLora>& loras, std::int64_t rank);

}  // namespace atelier
