#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace atelier::reports {

/// A run's value, and the variance that it has because it is a mean over finitely many pictures.
struct RunValue {
  double value = 0.0;
  std::optional<double> pictures = {};  ///< none where a prompt has one picture
};

/// Components of the variance of runs' values: between concepts, between the training seeds of a concept, and of the
/// pictures of one training (evaluation.md 8.4). A negative estimate is 0.
struct VarianceParts {
  double concepts = 0.0;
  double seeds = 0.0;  ///< holds the pictures' part where that is not known
  std::optional<double> pictures = {};
};

/// Method of moments over the runs of each concept: W, the pooled variance within concepts, less the mean of the
/// pictures' part; the variance of the concepts' means less the mean of W / (seeds of the concept). None unless a
/// concept has two seeds and there are two concepts.
[[nodiscard]] std::optional<VarianceParts> variance_parts(std::span<const std::vector<RunValue>> concepts);

/// The scores of one prompt's pictures.
struct PromptScores {
  std::int64_t pictures = 0;         ///< that have a score
  double mean = 0.0, squares = 0.0;  ///< of the scores; Σ score²
};

/// Variance of the mean over prompts of means over their pictures: (1 / P²) Σ s²_p / K_p, s² with n - 1. None where a
/// prompt has fewer than two pictures.
[[nodiscard]] std::optional<double> picture_variance(std::span<const PromptScores> prompts);

}  // namespace atelier::reports
