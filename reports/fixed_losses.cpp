#include "reports/fixed_losses.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"

namespace atelier::reports {

std::vector<FixedLoss> fixed_losses(Index& index, const std::string& manifest) {
  std::map<std::string, FixedLoss> stages;
  const auto rows = index.query(
      "SELECT a.description, a.summary FROM stage s JOIN stage_output o USING (manifest, job) JOIN artifact a ON a.key "
      "= o.key WHERE s.manifest = ?1 AND s.kind = 'train' AND o.step > 0 ORDER BY s.job, o.position",
      {manifest});
  for (const Row& row : rows) {
    const Json description = parse_json(text_of(row.at(0)), "index"), summary = parse_json(text_of(row.at(1)), "index");
    const auto before = summary.find("eval_loss_before"), after = summary.find("eval_loss_after");
    if (before == summary.end() || after == summary.end() || !before->is_number() || !after->is_number()) continue;
    FixedLoss& stage = stages[fmt::format("{} {} step {}", description.value("method", ""),
                                          description.value("stage", ""), description.at("step").dump())];
    stage.before += before->get<double>();
    stage.after += after->get<double>();
    ++stage.trainings;
    if (after->get<double>() < before->get<double>()) ++stage.lowered;
  }
  std::vector<FixedLoss> means;
  for (auto& [name, stage] : stages) {
    const auto n = static_cast<double>(stage.trainings);
    means.push_back({name, stage.before / n, stage.after / n, stage.trainings, stage.lowered});
  }
  return means;
}

}  // namespace atelier::reports
