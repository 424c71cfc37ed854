#include "reports/variance.h"

#include <algorithm>

#include "reports/statistics.h"

namespace atelier::reports {
namespace {

double square(double value) { return value * value; }

std::vector<double> values_of(const std::vector<RunValue>& runs) {
  std::vector<double> values;
  for (const auto& run : runs) values.push_back(run.value);
  return values;
}

double squares_around_mean(const std::vector<double>& values) {
  const double mean = mean_of(values).value_or(0.0);
  double sum = 0.0;
  for (const double value : values) sum += square(value - mean);
  return sum;
}

/// The mean of the pictures' part over the runs of concepts with several seeds; none where one is not known.
std::optional<double> pictures_part(std::span<const std::vector<RunValue>> concepts) {
  std::vector<double> parts;
  for (const auto& runs : concepts) {
    if (runs.size() < 2) continue;
    for (const auto& run : runs) {
      if (!run.pictures) return {};
      parts.push_back(*run.pictures);
    }
  }
  return mean_of(parts);
}

}  // namespace

std::optional<VarianceParts> variance_parts(std::span<const std::vector<RunValue>> concepts) {
  double within = 0.0, freedom = 0.0, shares = 0.0;
  std::vector<double> means;
  for (const auto& runs : concepts) {
    if (runs.empty()) continue;
    const auto values = values_of(runs);
    within += squares_around_mean(values);
    freedom += static_cast<double>(values.size()) - 1.0;
    shares += 1.0 / static_cast<double>(values.size());
    means.push_back(*mean_of(values));
  }
  if (freedom < 1.0 || means.size() < 2) return {};
  const auto n = static_cast<double>(means.size());
  within /= freedom;
  const double between = squares_around_mean(means) / (n - 1.0);
  const auto pictures = pictures_part(concepts);
  return VarianceParts{.concepts = std::max(0.0, between - within * shares / n),
                       .seeds = std::max(0.0, within - pictures.value_or(0.0)),
                       .pictures = pictures};
}

std::optional<double> picture_variance(std::span<const PromptScores> prompts) {
  double sum = 0.0;
  for (const auto& scores : prompts) {
    if (scores.pictures < 2) return {};
    const auto n = static_cast<double>(scores.pictures);
    sum += std::max(0.0, scores.squares - n * square(scores.mean)) / (n - 1.0) / n;
  }
  if (prompts.empty()) return {};
  return sum / square(static_cast<double>(prompts.size()));
}

}  // namespace atelier::reports
