#include "framework/plan/prompt_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

constexpr std::array<const char*, 4> kPhotoMasks{"auto", "files", "alpha", "segmenter"};

/// A list of texts that goes with the prompts; none where the file has none.
std::vector<std::string> companions(const Json& facts, const char* key, std::size_t prompts, const std::string& where) {
  if (!facts.contains(key)) return {};
  auto texts = templates(facts.at(key), fmt::format("{}: {}", where, key));
  if (texts.size() == prompts) return texts;
  throw Error({.where = fmt::format("{}: {}", where, key),
               .found = fmt::format("{} texts", texts.size()),
               .expected = fmt::format("{}, one for each prompt", prompts)});
}

PromptList make_list(const std::string& id, std::vector<std::string> prompts, const Json& facts) {
  const auto digest = sha256_hex(Json(prompts).dump());
  return {.id = id,
          .prompts = std::move(prompts),
          .role = text_at(facts, "role"),
          .source = text_at(facts, "source"),
          .note = text_at(facts, "note"),
          .digest = digest,
          .edits = {},
          .score_texts = {},
          .changes_appearance = {}};
}

/// `identity_excluded` of a file: by list, the numbers of prompts that change how the concept looks.
std::set<std::size_t> excluded_of(const Json& file, const std::string& name, std::size_t prompts,
                                  const std::string& where) {
  std::set<std::size_t> excluded;
  const Json lists = file.value("identity_excluded", Json::object());
  for (const Json& number : lists.value(name, Json::array())) {
    if (!number.is_number_integer() || number < 0 || number >= prompts) {
      throw Error({.where = where + ": identity_excluded",
                   .found = number.dump(),
                   .expected = fmt::format("numbers of its prompts, 0 to {}", prompts - 1)});
    }
    excluded.insert(number.get<std::size_t>());
  }
  return excluded;
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
    const auto name = entry.at("name").get<std::string>();
    const auto count = prompts.size();
    PromptList& list = lists_[id] = make_list(id, std::move(prompts), entry);
    list.edits = companions(entry, "edits", count, where);
    list.score_texts = companions(entry, "score_texts", count, where);
    list.changes_appearance = excluded_of(file, name, count, where);
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

std::vector<std::string> scoring_settings(const ProtocolSpec& protocol) {
  auto names = names_of(protocol.scoring);
  if (!protocol.masks.is_null()) names.insert(names.end(), {"mask_text", "photo_masks"});
  return names;
}

void change_masks(Json& masks, Json& changes, const std::string& where) {
  if (masks.is_null()) return;
  for (const auto& [setting, key] : {std::pair("mask_text", "text"), std::pair("photo_masks", "photos")}) {
    if (!changes.contains(setting)) continue;
    const Json value = changes.at(setting);
    changes.erase(setting);
    const bool known = std::string_view(key) == "text"
                           ? value.is_string() && !value.get_ref<const std::string&>().empty()
                           : std::ranges::any_of(kPhotoMasks, [&](const char* each) { return value == each; });
    if (!known) {
      throw Error({.where = fmt::format("{}: {}", where, setting),
                   .found = value.dump(),
                   .expected = std::string_view(key) == "text" ? "a text" : "one of auto, files, alpha, segmenter"},
                  ErrorKind::usage);
    }
    masks[key] = value;
  }
}

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
          .masks = json.value("masks", Json()),
          .reduction = json.value("reduction", Json::object())};
}

}  // namespace atelier
