#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "framework/store/index.h"
#include "framework/store/store.h"

namespace atelier::reports {

/// The loss of one training stage by its own steps, in `kLossBins` or fewer equal parts: means over what is finite.
struct LossCurve {
  std::string name;                               ///< "cat, seed 0"
  std::vector<std::pair<double, double>> points;  ///< step, loss
};

/// The trainings of a label in one stage.
struct LossChart {
  std::string title;  ///< "textreg, stage ut"
  std::vector<LossCurve> curves;
  std::size_t unreadable = 0;  ///< records that are gone or damaged
};

inline constexpr std::size_t kLossBins = 100;

/// By label and stage in the study's order; a stage that several labels share stands under the first.
[[nodiscard]] std::vector<LossChart> loss_charts(Index& index, const Store& store, const std::string& manifest);

/// All curves in one small plot; the first of them are named when pointed at.
[[nodiscard]] std::string loss_svg(const LossChart& chart);

}  // namespace atelier::reports
