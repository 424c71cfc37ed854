#include "framework/worker/recorded_losses.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "framework/tensor/tensor_io.h"

namespace atelier::worker {
namespace {

constexpr std::string_view kSeries = "series.";
constexpr std::string_view kTerm = "term.";

}  // namespace

Json losses_json(const LossRecord& losses) {
  std::vector<std::int64_t> steps(static_cast<std::size_t>(losses.size()));
  std::iota(steps.begin(), steps.end(), 1);
  Json json{{"schema", "atelier.losses/1"},
            {"step", steps},
            {"loss", Json::array()},
            {"grad_norm", Json::array()},
            {"terms", Json::object()}};
  for (const auto& [name, values] : losses.series()) {
    const bool term = name.starts_with(kTerm);
    (term ? json["terms"][name.substr(kTerm.size())] : json[name]) = values;
  }
  return json;
}

void restore_losses(LossRecord& losses, const SnapshotPolicy& snapshot, const std::vector<std::int64_t>& checkpoints) {
  if (snapshot.path.empty() || !std::filesystem::exists(snapshot.path)) return;
  TensorMap series;
  std::int64_t steps = 0;
  for (const auto& [name, tensor] : read_named_tensors(snapshot.path).tensors) {
    if (!name.starts_with(kSeries)) continue;
    series[name.substr(kSeries.size())] = tensor;
    steps = tensor.size(0);
  }
  if (std::ranges::any_of(checkpoints, [&](std::int64_t checkpoint) { return checkpoint <= steps; })) {
    std::filesystem::remove(snapshot.path);
    return;
  }
  losses.restore(steps, series);
}

}  // namespace atelier::worker
