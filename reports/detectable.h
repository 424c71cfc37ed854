#pragma once

#include <cstdint>
#include <optional>

namespace atelier::reports {

/// The smallest mean paired difference that a test over `concepts` finds with `power` at the two-sided level `alpha`,
/// by the t approximation (t_{1-alpha/2} + t_{power}) · deviation / sqrt(concepts), both of concepts - 1 degrees of
/// freedom (evaluation.md 8.3: 2.8 standard errors when there are many). `deviation`: standard deviation of the
/// difference over concepts. None for fewer than two concepts.
[[nodiscard]] std::optional<double> detectable_difference(double deviation, std::int64_t concepts, double alpha = 0.05,
                                                          double power = 0.8);

}  // namespace atelier::reports
