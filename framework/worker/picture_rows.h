#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/sampling/guidance.h"

namespace atelier::worker {

/// One picture of a sample job: the picture of `seed` for the prompt of that output.
struct PictureRow {
  std::size_t output;  ///< index among the outputs that are missing
  std::uint64_t seed;
};

/// Rows cut into batches of `size`, in order: prompts share batches, so that two pictures of each of four prompts cost
/// one batch of eight. Only the last one may be shorter.
[[nodiscard]] std::vector<std::span<const PictureRow>> cut_rows(const std::vector<PictureRow>& rows, std::size_t size);

/// The branches of one guided step over rows of several prompts: `prompts[i]` are row i's own branches, each of one
/// row; the result has the same branches with the rows' texts stacked, [B, 77, D] (and [B, P]). Throws Error unless all
/// rows have the same branches: names, weights and adapter scales are the method's and the guidance's, not the
/// prompt's.
[[nodiscard]] std::vector<Branch> stack_rows(const std::vector<const std::vector<Branch>*>& prompts);

}  // namespace atelier::worker
