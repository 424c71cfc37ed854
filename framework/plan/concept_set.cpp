#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/concept.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

/// concepts39 names two class words: TextReg's own string and the same with blanks.
SetEntry entry_of(const Json& json) {
  SetEntry entry{.name = text_at(json, "name"), .facts = {}, .photos = {}};
  const auto clean = text_at(json, "class_clean");
  entry.facts.class_word = clean.empty() ? text_at(json, "class") : clean;
  if (const auto own = text_at(json, "class_textreg"); !own.empty() && own != entry.facts.class_word) {
    entry.facts.classes["textreg"] = own;
  }
  entry.source = text_at(json, "source");
  entry.facts.prompt_set = text_at(json, "prompt_set");
  const auto kind = text_at(json, "kind");
  entry.facts.kind = kind.empty() ? entry.facts.prompt_set : kind;
  if (const auto count = json.find("num_images"); count != json.end() && count->is_number_integer() && *count > 0) {
    entry.photos = count->get<std::size_t>();
  }
  return entry;
}

void check_names(const std::vector<SetEntry>& set, const std::vector<std::string>& names, const std::string& where) {
  std::vector<std::string> known;
  for (const auto& entry : set) known.push_back(entry.name);
  for (const auto& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const auto near = nearest(name, known);
    throw Error({.where = where,
                 .found = fmt::format("\"{}\", which the set does not have", name),
                 .expected = "one of " + join(known, ", ", 12),
                 .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                ErrorKind::usage);
  }
}

bool is_chosen(const std::string& name, const std::vector<std::string>& only, const std::vector<std::string>& exclude) {
  const bool in = only.empty() || std::ranges::find(only, name) != only.end();
  return in && std::ranges::find(exclude, name) == exclude.end();
}

}  // namespace

std::vector<SetEntry> read_concept_set(const std::string& id, const fs::path& data) {
  std::vector<std::string> known;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(data / "concept_sets", ignored)) {
    if (file.path().extension() == ".yaml") known.push_back(file.path().stem().string());
  }
  std::ranges::sort(known);
  if (std::ranges::find(known, id) == known.end()) {
    const auto near = nearest(id, known);
    throw Error({.where = fmt::format("concept set \"{}\"", id),
                 .found = "there is none of this name",
                 .expected = "one of " + join(known),
                 .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                ErrorKind::usage);
  }
  const auto json = read_yaml_file(data / "concept_sets" / (id + ".yaml"));
  std::vector<SetEntry> set;
  for (const auto* key : {"concepts", "subjects"}) {
    for (const auto& entry : json.value(key, Json::array())) set.push_back(entry_of(entry));
  }
  return set;
}

std::vector<ConceptFolder> read_concepts(const std::vector<SetEntry>& set, const fs::path& root,
                                         const std::vector<std::string>& only, const std::vector<std::string>& exclude,
                                         PhotoReader& reader) {
  check_names(set, only, "concepts.only");
  check_names(set, exclude, "concepts.exclude");
  std::vector<std::string> missing;
  for (const auto& entry : set) {
    if (is_chosen(entry.name, only, exclude) && !fs::is_directory(root / entry.name)) missing.push_back(entry.name);
  }
  if (!missing.empty()) {
    throw Error({.where = "concepts.root " + root.string(),
                 .found = "no folder " + join(missing),
                 .expected = "a folder with photos for each concept",
                 .advice = "put them there, or leave them out with exclude:"},
                ErrorKind::usage);
  }
  std::vector<ConceptFolder> concepts;
  for (const auto& entry : set) {
    if (!is_chosen(entry.name, only, exclude)) continue;
    concepts.push_back(read_concept(root / entry.name, reader, entry.facts));
    concepts.back().name = entry.name;
  }
  return concepts;
}

}  // namespace atelier
