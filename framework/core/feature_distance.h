#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace atelier {

/// Features of pictures, one row each.
struct FeatureRows {
  std::string where;  ///< where they come from, for errors
  std::int64_t rows = 0, width = 0;
  std::vector<double> values;  ///< [rows, width], row-major

  [[nodiscard]] const double* row(std::int64_t i) const { return values.data() + i * width; }
};

struct KidRequest {
  std::int64_t subsets = 100;    ///< 0: one estimate from all rows
  std::int64_t subset_size = 0;  ///< 0: min(N_a, N_b, 1000)
  std::uint64_t seed = 0;
};

/// Kernel inception distance (Bińkowski et al. 2018, arXiv:1801.01401), unscaled: the unbiased estimate within each
/// side and all pairs across, kernel (x·y / F + 1)³; the mean over random subsets. nullopt for fewer than two rows a
/// subset. Throws Error for sides of other widths, and a subset larger than a side.
[[nodiscard]] std::optional<double> kernel_distance(const FeatureRows& a, const FeatureRows& b,
                                                    const KidRequest& request);

/// Fréchet inception distance (Heusel et al. 2017, arXiv:1706.08500): |μ_a - μ_b|² + Tr(C_a + C_b - 2 √(C_a C_b)),
/// covariances with N - 1. With centred rows A and B, Tr √(C_a C_b) is the sum of the singular values of A Bᵀ over
/// √((N_a - 1)(N_b - 1)): no root of a matrix is taken, and covariances of too few rows need no care. nullopt for fewer
/// than two rows a side. Throws Error for sides of other widths.
[[nodiscard]] std::optional<double> frechet_distance(const FeatureRows& a, const FeatureRows& b);

}  // namespace atelier
