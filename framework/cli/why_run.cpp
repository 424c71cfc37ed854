#include "framework/cli/why_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/text.h"
#include "framework/plan/key_changes.h"
#include "framework/plan/run_stages.h"
#include "framework/store/manifest_parts.h"

namespace atelier::cli {
namespace {

constexpr std::size_t kReasonDigits = 12;

/// The descriptions of what the study plans and of what is in the store.
class Descriptions {
 public:
  Descriptions(const Store& store, const Json& manifest) : store_(store), manifest_(manifest) {
    for (const Json& job : manifest.at("jobs")) {
      for (const Json& output : job.at("outputs")) planned_[output.at("key").get<std::string>()] = &output;
    }
  }

  [[nodiscard]] std::optional<Json> find(const std::string& key) const {
    if (const auto found = planned_.find(key); found != planned_.end())
      return description_of(manifest_, *found->second);
    const auto record = store_.find(key);
    return record ? std::optional(record->description) : std::nullopt;
  }

 private:
  const Store& store_;                          // borrowed
  const Json& manifest_;                        // borrowed
  std::map<std::string, const Json*> planned_;  // borrowed from the manifest
};

/// The error of the last attempt at the key, if it failed.
std::string last_error(Index& index, const std::string& key) {
  const auto rows = index.query(
      "SELECT coalesce(e.class, ''), coalesce(e.error, '') FROM last_attempt l JOIN last_end e ON e.attempt = l.attempt"
      " WHERE l.key = ? AND e.status = 'failed'",
      {key});
  return rows.empty() ? "" : fmt::format("{}: {}", text_of(rows[0][0]), text_of(rows[0][1]));
}

Json json_of(const KeyChange& change) {
  return {{"what", change.what},   {"path", change.path},       {"before", change.before},
          {"after", change.after}, {"through", change.through}, {"text", change_text(change)}};
}

Json reason_of(Index& index, const Descriptions& descriptions, const Json& run, const RunStage& stage) {
  Json reason{{"state", "to do"}, {"nearest", nullptr}, {"changes", Json::array()}};
  if (const auto error = last_error(index, stage.key); !error.empty()) {
    reason["state"] = "failed";
    reason["error"] = error;
  }
  const auto nearest = nearest_stored(index, stage.description, run);
  if (!nearest) return reason;
  reason["nearest"] = nearest->key;
  for (const auto& change : key_changes(nearest->description, stage.description,
                                        [&](const std::string& key) { return descriptions.find(key); }))
    reason["changes"].push_back(json_of(change));
  return reason;
}

/// The lines that tell why; stages for which they are equal are told together.
std::vector<std::string> lines_of(const Json& stage) {
  const std::string state = stage.at("state").get<std::string>();
  if (state == "made") return {};
  std::vector<std::string> lines;
  if (state == "failed") lines.push_back("failed: " + stage.at("error").get<std::string>());
  if (stage.at("nearest").is_null()) {
    lines.push_back("nothing of its kind is in the store: it is made for the first time");
    return lines;
  }
  for (const Json& change : stage.at("changes")) lines.push_back(change.at("text").get<std::string>());
  return lines;
}

/// Those that are not one of many prompts.
void print_keys(const std::vector<const Json*>& stages) {
  for (const Json* stage : stages) {
    const auto place = stage->at("place").get<std::string>();
    if (place.starts_with("sample ") || place.starts_with("given ") || place.starts_with("mask ")) continue;
    fmt::print("    {}  atelier why {}\n", place, stage->at("key").get<std::string>().substr(0, kReasonDigits));
  }
}

}  // namespace

Json run_reasons(const Store& store, Index& index, const Json& manifest, const std::string& run,
                 const std::string& only) {
  const Json& entry = manifest_run(manifest, run);
  const Descriptions descriptions(store, manifest);
  Json stages = Json::array();
  for (const auto& [place, stage] : run_stages(manifest, run)) {
    if (!only.empty() && stage.key != only) continue;
    Json told = store.has(stage.key) ? Json{{"state", "made"}} : reason_of(index, descriptions, entry, stage);
    told["place"] = place;
    told["key"] = stage.key;
    stages.push_back(std::move(told));
  }
  return {{"run", run},
          {"label", entry.value("label", "")},
          {"concept", entry.value("concept", "")},
          {"seed", member_or_null(entry, "seed")},
          {"stages", std::move(stages)}};
}

void print_reasons(const Json& reasons) {
  fmt::print("run {}: {}, {}, seed {}\n", reasons.at("run").get<std::string>(), reasons.at("label").get<std::string>(),
             reasons.at("concept").get<std::string>(), reasons.at("seed").is_null() ? "-" : reasons.at("seed").dump());
  std::vector<std::pair<std::vector<std::string>, std::vector<const Json*>>> groups;
  for (const Json& stage : reasons.at("stages")) {
    auto lines = lines_of(stage);
    const auto same = std::ranges::find(groups, lines, [](const auto& group) { return group.first; });
    if (same != groups.end()) {
      same->second.push_back(&stage);
    } else {
      groups.push_back({std::move(lines), {&stage}});
    }
  }
  for (const auto& [lines, stages] : groups) {
    std::vector<std::string> places;
    for (const Json* stage : stages) places.push_back(stage->at("place").get<std::string>());
    fmt::print("  {}: {}\n", places_text(places), lines.empty() ? "in the store" : "to be made");
    for (const auto& line : lines) fmt::print("    {}\n", line);
    if (lines.empty()) print_keys(stages);
    const Json& first = *stages.front();
    if (lines.empty() || first.at("nearest").is_null()) continue;
    fmt::print("    (compared with key {}…, which is the nearest in the store)\n",
               first.at("nearest").get<std::string>().substr(0, kReasonDigits));
  }
}

}  // namespace atelier::cli
