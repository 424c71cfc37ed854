#include "framework/schedulers/timesteps.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace atelier {
namespace {

/// numpy.linspace(0, stop, count): the last point is `stop` itself.
std::vector<double> linspace_from_zero(double stop, std::int64_t count) {
  std::vector<double> points;
  const double step = count > 1 ? stop / static_cast<double>(count - 1) : 0.0;
  for (std::int64_t i = 0; i < count; ++i) points.push_back(static_cast<double>(i) * step);
  if (count > 1) points.back() = stop;
  return points;
}

void round_all(std::vector<double>& points) {
  for (auto& point : points) point = std::nearbyint(point);
}

/// round(arange(end, 0, -T/N)) − 1. For some N (61, 103, …) rounding makes numpy's arange one entry too long and the
/// reference then samples at timestep −1; that entry is left out here.
std::vector<double> trailing(double end, double num_train_timesteps, std::int64_t steps) {
  const double ratio = num_train_timesteps / static_cast<double>(steps);
  const double delta = (end - ratio) - end;  // as numpy fills an arange
  std::vector<double> points;
  for (std::int64_t i = 0; i < steps; ++i) {
    const double point = std::nearbyint(end + static_cast<double>(i) * delta) - 1;
    if (point < 0) break;
    points.push_back(point);
  }
  return points;
}

/// i·ratio + offset for i = first … first + count − 1, the largest first.
std::vector<double> leading(std::int64_t first, std::int64_t count, std::int64_t ratio, std::int64_t offset) {
  std::vector<double> points;
  for (std::int64_t i = first + count - 1; i >= first; --i) points.push_back(static_cast<double>(i * ratio + offset));
  return points;
}

}  // namespace

TimestepSpacing read_timestep_spacing(SchedulerSettings& config, TimestepSpacing fallback) {
  static constexpr std::array<Word<TimestepSpacing>, 3> kSpacings{{{"leading", TimestepSpacing::leading},
                                                                   {"linspace", TimestepSpacing::linspace},
                                                                   {"trailing", TimestepSpacing::trailing}}};
  return config.choice<TimestepSpacing>("timestep_spacing", fallback, kSpacings);
}

TimestepGrid read_timestep_grid(SchedulerSettings& config, TimestepSpacing fallback, std::int64_t num_train_timesteps) {
  return {.spacing = read_timestep_spacing(config, fallback),
          .num_train_timesteps = num_train_timesteps,
          .steps_offset = config.integer("steps_offset", 0, 0, num_train_timesteps - 1)};
}

std::vector<double> integer_timesteps(const TimestepGrid& grid, std::int64_t steps) {
  const auto count = static_cast<double>(grid.num_train_timesteps);
  if (grid.spacing == TimestepSpacing::trailing) return trailing(count, count, steps);
  if (grid.spacing == TimestepSpacing::leading) {
    return leading(0, steps, grid.num_train_timesteps / steps, grid.steps_offset);
  }
  auto points = linspace_from_zero(count - 1, steps);
  round_all(points);
  std::reverse(points.begin(), points.end());
  return points;
}

std::vector<double> euler_timesteps(const TimestepGrid& grid, std::int64_t steps) {
  if (grid.spacing != TimestepSpacing::linspace) return integer_timesteps(grid, steps);
  auto points = linspace_from_zero(static_cast<double>(grid.num_train_timesteps - 1), steps);
  for (auto& point : points) point = static_cast<double>(static_cast<float>(point));
  std::reverse(points.begin(), points.end());
  return points;
}

std::vector<double> solver_timesteps(const TimestepGrid& grid, std::int64_t steps, std::int64_t end) {
  if (grid.spacing == TimestepSpacing::trailing) {
    return trailing(static_cast<double>(end), static_cast<double>(grid.num_train_timesteps), steps);
  }
  if (grid.spacing == TimestepSpacing::leading) return leading(1, steps, end / (steps + 1), grid.steps_offset);
  auto points = linspace_from_zero(static_cast<double>(end - 1), steps + 1);
  round_all(points);
  std::reverse(points.begin(), points.end());
  points.pop_back();
  return points;
}

}  // namespace atelier
