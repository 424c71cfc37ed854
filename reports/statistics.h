#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace atelier::reports {

[[nodiscard]] std::optional<double> mean_of(std::span<const double> values);
/// Standard deviation with n - 1, over sqrt(n); none for fewer than two values.
[[nodiscard]] std::optional<double> standard_error(std::span<const double> values);

/// A paired comparison over concepts (evaluation.md 8.3).
struct Comparison {
  double difference = 0.0;             ///< mean of d_c
  double ci_low = 0.0, ci_high = 0.0;  ///< bootstrap over concepts, 2.5 and 97.5 percent
  double p = 1.0;                      ///< sign flips: exact to 20 concepts, else as many draws as the bootstrap
  double p_holm = 1.0;                 ///< p, corrected over the table
  std::int64_t concepts = 0;
  bool exact = true;              ///< whether p is of all sign patterns
  std::optional<double> se = {};  ///< of the difference
};

/// `differences`: at least one, by concept in byte order. The same numbers on every call: bootstrap and sign flips each
/// draw from a generator that starts at `seed`.
[[nodiscard]] Comparison compare_paired(std::span<const double> differences, std::int64_t draws = 10000,
                                        std::uint64_t seed = 0);
/// Whether the interval lies inside ±margin (evaluation.md 8.3): the two are called equivalent.
[[nodiscard]] bool lies_within(const Comparison& comparison, double margin);
/// Sets p_holm of all.
void correct_holm(std::span<Comparison* const> comparisons);

}  // namespace atelier::reports
