#include "framework/plan/manifest_prompts.h"

#include <fmt/format.h>

#include <algorithm>

namespace atelier {

Json::iterator output_of(Json& outputs, const std::string& key) {
  return std::ranges::find_if(outputs,
                              [&](const Json& each) { return each.at("key").get_ref<const std::string&>() == key; });
}

void serve(Json& output, const std::string& evaluation) {
  Json& names = output["evaluations"];
  if (std::ranges::find(names, Json(evaluation)) == names.end()) names.push_back(evaluation);
}

bool shows_class(const Json& pictures) { return pictures.value("phrase", "concept") == "class"; }

bool compares_with_base(const Json& protocol) { return protocol.at("scoring").value("against", "") == "base"; }

std::vector<PromptPlace> prompts_of(const PromptCatalog& catalog, const Json& pictures, const std::string& kind) {
  std::vector<PromptPlace> prompts;
  const std::string before = shows_class(pictures) ? "class/" : "";
  const std::string wanted = kind == "live" ? "live" : "object";
  for (const Json& entry : pictures.at("prompts")) {
    if (entry.value("kind", wanted) != wanted) continue;
    const std::string id = entry.at("list").get<std::string>();
    const PromptList& list = catalog.list(id);
    for (std::size_t i = 0; i < list.prompts.size(); ++i) {
      PromptPlace& place = prompts.emplace_back();
      place.id = fmt::format("{}{}/{}", before, id, i);
      place.text = list.prompts[i];
      place.role = entry.at("role").get<std::string>();
      if (!list.edits.empty()) place.edit = list.edits[i];
      if (!list.score_texts.empty()) place.score_text = list.score_texts[i];
      place.keeps_appearance = !list.changes_appearance.contains(i);
    }
  }
  return prompts;
}

std::optional<std::string> PromptPlace::scored(const std::string& rule) const {
  if (rule == "edit") return edit;
  return rule == "verbatim" ? score_text.value_or(text) : text;
}

void add_set(PlannedPictures& pictures, const PromptPlace& place, const std::string& text, const std::string& key) {
  pictures.sets.push_back({{"prompt_id", place.id}, {"text", text}, {"role", place.role}, {"key", key}});
  pictures.described.push_back({{"prompt", place.id}, {"text", text}, {"role", place.role}, {"images", key}});
  if (!place.keeps_appearance) pictures.changed.insert(place.id);
}

}  // namespace atelier
