#include "framework/cli/plan_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "framework/core/text.h"
#include "framework/plan/key_changes.h"
#include "framework/plan/run_stages.h"
#include "framework/store/manifest_parts.h"

namespace atelier::cli {
namespace {

constexpr std::size_t kRunsNamed = 4;

std::string seed_text(const Json& run) { return run.at("seed").is_null() ? "-" : run.at("seed").dump(); }

Json name_of(const Json& run) {
  return {{"run", run.at("id")},
          {"label", run.at("label")},
          {"concept", run.at("concept")},
          {"seed", run.at("seed")},
          {"checkpoint", run.at("checkpoint")}};
}

/// What a run is called where its id changed.
std::string place_of(const Json& run) {
  return Json{run.at("label"), run.at("concept"), run.at("seed"), run.at("checkpoint")}.dump();
}

/// The same without what the sweep sets: the method alone.
std::string method_place(const Json& run) {
  return Json{run.at("method"), run.at("concept"), run.at("seed"), run.at("checkpoint")}.dump();
}

class PlanComparison {
 public:
  PlanComparison(const Json& before, const Json& after) : before_(before), after_(after) {
    for (const Json* manifest : {&before, &after}) {
      for (const Json& job : manifest->at("jobs")) {
        for (const Json& output : job.at("outputs"))
          planned_[output.at("key").get<std::string>()] = {manifest, &output};
      }
    }
  }

  Json difference() {
    pair_up([](const Json& run) { return run.at("id").get<std::string>(); });
    pair_up(place_of);
    pair_up(method_place);
    Json out{{"appear", Json::array()}, {"vanish", Json::array()}, {"change", Json::array()}, {"same", 0}};
    std::size_t same = 0;
    for (const Json& run : after_.at("runs")) {
      const auto partner = partners_.find(&run);
      if (partner == partners_.end()) {
        out["appear"].push_back(name_of(run));
      } else if (auto change = changed(*partner->second, run)) {
        out["change"].push_back(*std::move(change));
      } else {
        ++same;
      }
    }
    for (const Json& run : before_.at("runs")) {
      if (!taken_.contains(&run)) out["vanish"].push_back(name_of(run));
    }
    out["same"] = same;
    return out;
  }

 private:
  /// Runs without a partner get the first free one of the same name.
  void pair_up(const std::function<std::string(const Json&)>& name) {
    std::multimap<std::string, const Json*> open;
    for (const Json& run : before_.at("runs")) {
      if (!taken_.contains(&run)) open.emplace(name(run), &run);
    }
    for (const Json& run : after_.at("runs")) {
      if (partners_.contains(&run)) continue;
      const auto found = open.find(name(run));
      if (found == open.end()) continue;
      partners_[&run] = found->second;
      taken_.insert(found->second);
      open.erase(found);
    }
  }

  [[nodiscard]] std::optional<Json> find(const std::string& key) const {
    const auto found = planned_.find(key);
    if (found == planned_.end()) return std::nullopt;
    return description_of(*found->second.first, *found->second.second);
  }

  /// Nothing where every stage has the same key.
  std::optional<Json> changed(const Json& old, const Json& now) const {
    const auto before = run_stages(before_, old.at("id").get<std::string>());
    const auto after = run_stages(after_, now.at("id").get<std::string>());
    Json stages{{"same", 0}, {"appear", Json::array()}, {"vanish", Json::array()}, {"change", Json::array()}};
    std::vector<std::string> reasons;
    std::size_t same = 0;
    for (const auto& [place, stage] : after) {
      const auto found = before.find(place);
      if (found == before.end()) {
        stages["appear"].push_back(place);
      } else if (found->second.key == stage.key) {
        ++same;
      } else {
        stages["change"].push_back(place);
        add_reasons(found->second.description, stage.description, reasons);
      }
    }
    for (const auto& [place, stage] : before) {
      if (!after.contains(place)) stages["vanish"].push_back(place);
    }
    if (stages["appear"].empty() && stages["vanish"].empty() && stages["change"].empty()) return std::nullopt;
    stages["same"] = same;
    Json change = name_of(now);
    change["before"] = old.at("id");
    change["stages"] = std::move(stages);
    change["reasons"] = std::move(reasons);
    return change;
  }

  void add_reasons(const Json& old, const Json& now, std::vector<std::string>& reasons) const {
    for (KeyChange& each : key_changes(old, now, [this](const std::string& key) { return find(key); })) {
      each.through.clear();  // the stage that it comes from is among those that change
      const auto text = change_text(each);
      if (std::ranges::find(reasons, text) == reasons.end()) reasons.push_back(text);
    }
  }

  const Json &before_, &after_;                                         // borrowed
  std::map<std::string, std::pair<const Json*, const Json*>> planned_;  // by key: manifest and output; borrowed
  std::map<const Json*, const Json*> partners_;  // run of the plan after -> run of the one before
  std::set<const Json*> taken_;
};

void print_runs(const char* what, const Json& runs) {
  if (runs.empty()) return;
  fmt::print("{}: {} runs\n", what, runs.size());
  for (const Json& run : runs) {
    fmt::print("  {}  {:<32} {:<16} seed {}{}\n", run.at("run").get<std::string>(), run.at("label").get<std::string>(),
               run.at("concept").get<std::string>(), seed_text(run),
               run.at("checkpoint").is_null() ? "" : "  step " + run.at("checkpoint").dump());
  }
}

void print_stages(const Json& stages) {
  for (const char* what : {"change", "appear", "vanish"}) {
    if (!stages.at(what).empty())
      fmt::print("    {}: {}\n", what, places_text(stages.at(what).get<std::vector<std::string>>()));
  }
}

}  // namespace

Json plan_difference(const Json& before, const Json& after) { return PlanComparison(before, after).difference(); }

void print_plan_difference(const Json& difference) {
  print_runs("appear", difference.at("appear"));
  print_runs("vanish", difference.at("vanish"));
  std::map<std::string, std::vector<const Json*>> groups;
  for (const Json& run : difference.at("change"))
    groups[Json{run.at("reasons"), run.at("stages")}.dump()].push_back(&run);
  for (const auto& [unused, runs] : groups) {
    std::vector<std::string> names;
    for (const Json* run : runs) {
      names.push_back(fmt::format("{} ({}, {}, seed {})", run->at("run").get<std::string>(),
                                  run->at("label").get<std::string>(), run->at("concept").get<std::string>(),
                                  seed_text(*run)));
    }
    fmt::print("change: {} runs: {}\n", runs.size(), join(names, ", ", kRunsNamed));
    print_stages(runs.front()->at("stages"));
    for (const Json& reason : runs.front()->at("reasons")) fmt::print("    because {}\n", reason.get<std::string>());
  }
  fmt::print("the same: {} runs\n", difference.at("same").dump());
}

}  // namespace atelier::cli
