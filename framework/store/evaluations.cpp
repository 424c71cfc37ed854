#include "framework/store/evaluations.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/store/ingest_parts.h"

namespace atelier {

std::vector<std::string> evaluations_of(const Json& job, const Json& output) {
  std::vector<std::string> names;
  for (const Json& name : list_member(output, "evaluations")) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  if (!names.empty()) return names;
  for (const Json* place : {&output, &object_member(output, "description"), &object_member(job, "job"), &job}) {
    for (const Value& name : {text_member(*place, "protocol"), text_member(object_member(*place, "protocol"), "id")}) {
      if (!text_of(name).empty()) return {text_of(name)};
    }
  }
  return {};
}

std::vector<std::string> set_measures(const Json& scoring) {
  const bool against_base = text_of(text_member(scoring, "against")) == "base";
  std::vector<std::string> names;
  const auto add = [&](const std::string& role, const Json& scores, const char* kind, const std::string& name) {
    if (std::ranges::count(scores, Json(kind)) > 0) names.push_back(name.starts_with('_') ? role + name : name);
  };
  for (const auto& [role, use] : object_member(scoring, "encoders").items()) {
    const Json& scores = list_member(use, "scores");
    add(role, scores, "kid", "kid");
    add(role, scores, "fid", "fid");
    add(role, scores, "pres", "_pres");
    if (against_base) add(role, scores, "pres", "_pres_change");
    add(role, scores, "paired", "_paired");
    add(role, scores, "change", "_t_change");
    add(role, scores, "div", "_div");
  }
  return names;
}

bool derives_scores(const std::string& protocol) { return protocol.starts_with("ti_"); }

std::vector<std::string> main_scores(const std::string& protocol, const Json& scoring) {
  std::vector<std::string> names;
  for (const auto& [kind, suffix] : {std::pair("image", "_i"), std::pair("text", "_t")}) {
    for (const auto& [role, use] : object_member(scoring, "encoders").items()) {
      if (std::ranges::count(list_member(use, "scores"), Json(kind)) > 0) names.push_back(role + suffix);
    }
  }
  const auto of_sets = set_measures(scoring);
  if (names.empty() && of_sets.empty()) names = {"clip_i", "clip_t"};
  names.insert(names.end(), of_sets.begin(), of_sets.end());
  if (derives_scores(protocol)) names.insert(names.end(), {"reconstruction", "editability"});
  return names;
}

std::vector<std::string> all_scores(const std::string& protocol, const Json& scoring) {
  auto names = main_scores(protocol, scoring);
  for (const Json& name : list_member(scoring, "set_scores")) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

}  // namespace atelier
