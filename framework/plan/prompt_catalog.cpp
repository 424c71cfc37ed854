#include "framework/plan/prompt_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> yaml_stems(const fs::path& folder) {
  std::vector<std::string> stems;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".yaml") stems.push_back(entry.path().stem().string());
  }
  std::ranges::sort(stems);
  return stems;
}

[[noreturn]] void fail_unknown(const std::string& what, const std::string& id, const std::vector<std::string>& known) {
  const auto near = nearest(id, known);
  throw Error({.where = fmt::format("{} \"{}\"", what, id),
               .found = "there is none of this name",
               .expected = "one of " + join(known, ", ", 12),
               .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
              ErrorKind::usage);
}

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<std::string> templates(const Json& json, const std::string& where) {
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (json.is_array() && !json.empty() && std::all_of(json.begin(), json.end(), is_text)) {
    return json.get<std::vector<std::string>>();
  }
  throw Error({.where = where,
               .found = json.is_array() ? "an empty list or other values" : json.type_name(),
               .expected = "a list of texts"});
}

constexpr std::string_view kFrontEnd = "frontend.", kSide = "side.";

std::vector<std::string> names_of(const Json& scoring) {
  std::vector<std::string> names = {"text_rule", "batch",     "pos_interp", "exif",  "alpha",
                                    "fill",      "threshold", "size",       "resize"};
  const Json encoders = scoring.value("encoders", Json::object());
  for (const auto& [role, use] : encoders.items()) {
    names.push_back(std::string(kFrontEnd) + role);
    if (use.contains("side")) names.push_back(std::string(kSide) + role);
  }
  return names;
}

PromptList make_list(const std::string& id, std::vector<std::string> prompts, const Json& facts) {
  const auto digest = sha256_hex(Json(prompts).dump());
  return {.id = id,
          .prompts = std::move(prompts),
          .role = text_at(facts, "role"),
          .source = text_at(facts, "source"),
          .note = text_at(facts, "note"),
          .digest = digest};
}

}  // namespace

PromptCatalog::PromptCatalog(fs::path folder) : folder_(std::move(folder) / "prompts") {}

std::vector<std::string> PromptCatalog::stems() const { return yaml_stems(folder_); }

void PromptCatalog::load(const std::string& stem) const {
  if (!loaded_.emplace(stem, true).second) return;
  const auto path = folder_ / (stem + ".yaml");
  const auto file = read_yaml_file(path);
  for (const auto& entry : file.value("lists", Json::array())) {
    const auto id = fmt::format("{}/{}", stem, entry.at("name").get<std::string>());
    const auto where = fmt::format("{}: {}", path.string(), id);
    const auto same = entry.find("same_as");
    auto prompts = same == entry.end() ? templates(entry.value("prompts", Json()), where)
                                       : list(fmt::format("{}/{}", stem, same->get<std::string>())).prompts;
    if (entry.contains("count") && entry["count"] != prompts.size()) {
      throw Error(
          {.where = where, .found = fmt::format("{} prompts", prompts.size()), .expected = entry["count"].dump()});
    }
    lists_[id] = make_list(id, std::move(prompts), entry);
  }
  const auto sets = file.value("prompt_sets", Json::object());
  for (const auto& [name, prompts] : sets.items()) {
    const auto id = fmt::format("{}/{}", stem, name);
    lists_[id] = make_list(id, templates(prompts, id), Json::object());
  }
}

/// Reads one file alone: all of them take longer than everything else that `plan` does.
const PromptList* PromptCatalog::find(const std::string& id) const {
  if (const auto found = lists_.find(id); found != lists_.end()) return &found->second;
  const auto stem = id.substr(0, id.find('/'));
  const auto known = stems();
  if (std::ranges::find(known, stem) != known.end()) load(stem);
  const auto found = lists_.find(id);
  return found == lists_.end() ? nullptr : &found->second;
}

bool PromptCatalog::contains(const std::string& id) const { return find(id) != nullptr; }

const PromptList& PromptCatalog::list(const std::string& id) const {
  const PromptList* found = find(id);
  if (found == nullptr) fail_unknown("prompt list", id, ids());
  return *found;
}

std::vector<std::string> PromptCatalog::ids() const {
  for (const auto& stem : stems()) load(stem);
  std::vector<std::string> ids;
  for (const auto& [id, list] : lists_) ids.push_back(id);
  return ids;
}

std::vector<std::string> scoring_settings(const ProtocolSpec& protocol) { return names_of(protocol.scoring); }

void change_scoring(Json& scoring, const Json& changes, const std::string& where) {
  const auto known = names_of(scoring);
  for (const auto& [name, value] : changes.items()) {
    if (std::ranges::find(known, name) == known.end()) {
      const auto near = nearest(name, known);
      throw Error({.where = where,
                   .found = fmt::format("no setting \"{}\"", name),
                   .expected = "one of " + join(known),
                   .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                  ErrorKind::usage);
    }
    if (name.starts_with(kFrontEnd)) {
      scoring["encoders"][name.substr(kFrontEnd.size())]["front_end"] = value;
    } else if (name.starts_with(kSide)) {
      scoring["encoders"][name.substr(kSide.size())]["side"] = value;
    } else {
      const bool of_picture = name != "text_rule" && name != "batch" && name != "pos_interp";
      (of_picture ? scoring["image"] : scoring)[name] = value;
    }
  }
}

std::vector<std::string> protocol_ids(const fs::path& folder) { return yaml_stems(folder / "protocols"); }

std::vector<std::string> study_protocol_ids(const fs::path& folder) {
  auto ids = protocol_ids(folder);
  std::erase_if(ids, [&](const std::string& id) { return read_protocol(id, folder).pictures.is_null(); });
  return ids;
}

ProtocolSpec read_protocol(const std::string& id, const fs::path& folder) {
  const auto known = protocol_ids(folder);
  if (std::ranges::find(known, id) == known.end()) fail_unknown("protocol", id, known);
  const auto path = folder / "protocols" / (id + ".yaml");
  const auto json = read_yaml_file(path);
  check_schema(json, "protocol/1", path);
  for (const auto* key : {"scoring", "encoders"}) {
    if (json.value(key, Json()).is_object()) continue;
    throw Error({.where = fmt::format("{}: {}", path.string(), key), .found = "nothing", .expected = "a mapping"});
  }
  return {.id = id,
          .title = text_at(json, "title"),
          .pictures = json.value("pictures", Json()),
          .scoring = json["scoring"],
          .encoders = json["encoders"],
          .reduction = json.value("reduction", Json::object())};
}

}  // namespace atelier
