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

namespace {

/// Roles whose use has this kind of score.
std::vector<std::string> roles_with(const Json& scoring, const char* kind) {
  std::vector<std::string> roles;
  for (const auto& [role, use] : object_member(scoring, "encoders").items()) {
    if (std::ranges::count(list_member(use, "scores"), Json(kind)) > 0) roles.push_back(role);
  }
  return roles;
}

bool flag(const Json& json, const char* name) { return json.is_object() && json.value(name, Json()) == true; }

void add_kept(const Json& scoring, std::vector<std::string>& names) {
  for (const auto& role : roles_with(scoring, "image")) names.push_back(role + "_i_kept");
}

}  // namespace

std::vector<std::string> overall_parts(const Json& settings) {
  std::vector<std::string> parts;
  for (const Json& name : list_member(object_member(settings, "reduction"), "overall")) {
    if (name.is_string()) parts.push_back(name.get<std::string>());
  }
  return parts;
}

std::vector<std::string> main_scores(const std::string& protocol, const Json& settings) {
  const Json& scoring = object_member(settings, "scoring");
  std::vector<std::string> names;
  for (const auto& role : roles_with(scoring, "image")) names.push_back(role + "_i");
  if (flag(object_member(settings, "reduction"), "kept")) add_kept(scoring, names);
  for (const auto& role : roles_with(scoring, "image_full")) names.push_back(role + "_i_full");
  for (const auto& role : roles_with(scoring, "text")) names.push_back(role + "_t");
  const auto of_sets = set_measures(scoring);
  if (names.empty() && of_sets.empty()) names = {"clip_i", "clip_t"};
  names.insert(names.end(), of_sets.begin(), of_sets.end());
  if (!overall_parts(settings).empty()) names.emplace_back("overall");
  if (derives_scores(protocol)) names.insert(names.end(), {"reconstruction", "editability"});
  return names;
}

std::vector<std::string> all_scores(const std::string& protocol, const Json& settings) {
  const Json& scoring = object_member(settings, "scoring");
  auto names = main_scores(protocol, settings);
  if (!flag(object_member(settings, "reduction"), "kept")) add_kept(scoring, names);
  for (const Json& name : list_member(scoring, "set_scores")) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  names.emplace_back("miss_rate");
  if (flag(scoring, "masked")) names.emplace_back("foreground");
  return names;
}

}  // namespace atelier
