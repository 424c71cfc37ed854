#include "framework/plan/dco_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& where, const std::string& found, const std::string& expected,
                         const std::string& advice = "") {
  throw Error({.where = where, .found = found, .expected = expected, .advice = advice}, ErrorKind::usage);
}

std::string chosen_entry(const Json& json, const std::string& entry, const std::string& where) {
  std::vector<std::string> names;
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) names.push_back(name);
  }
  if (names.empty()) refuse(where, "no entries", "DCO's dataset config: name -> {images, prompts, …}");
  const auto wanted = !entry.empty() ? entry : names.size() == 1 ? names.front() : "full_ti";
  if (json.contains(wanted)) return wanted;
  refuse(where, fmt::format("no entry \"{}\"", wanted), "one of " + join(names),
         "write entry: into concept.yaml beside it");
}

std::vector<std::string> texts(const Json& json, const char* key, const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end()) return {};
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), is_text)) {
    refuse(fmt::format("{}.{}", where, key), found->dump().substr(0, 60), "a list of texts");
  }
  return found->get<std::vector<std::string>>();
}

/// The longest end of `text` that is a file below the folder.
std::string name_below(const fs::path& folder, const std::string& text, const std::string& where) {
  std::vector<fs::path> parts;
  for (const auto& part : fs::path(text).lexically_normal()) parts.push_back(part);
  for (std::size_t first = 0; first < parts.size(); ++first) {
    fs::path name;
    for (std::size_t i = first; i < parts.size(); ++i) name /= parts[i];
    if (!name.is_relative() || name.empty() || *name.begin() == "..") continue;
    if (fs::is_regular_file(folder / name)) return name.string();
  }
  refuse(where, fmt::format("no file for \"{}\"", text), "a photo in " + folder.string());
}

std::string with_slot(std::string text, const std::string& token) {
  for (auto at = text.find(token); !token.empty() && at != std::string::npos; at = text.find(token, at + 2)) {
    text.replace(at, token.size(), "{}");
  }
  return text;
}

void check_lengths(std::size_t images, std::size_t others, bool required, const std::string& where) {
  if (others == images || (others == 0 && !required)) return;
  refuse(where, fmt::format("{} for {} images", others, images), "one for each image");
}

}  // namespace

void read_dco_config(const fs::path& config, const std::string& entry, ConceptFolder& folder) {
  const auto json = read_python_json_file(config);
  const auto name = chosen_entry(json, entry, config.string());
  const auto where = fmt::format("{}: {}", config.string(), name);
  const auto& data = json.at(name);
  if (!data.is_object()) refuse(where, data.type_name(), "{images, prompts, …}");
  const auto images = texts(data, "images", where), prompts = texts(data, "prompts", where);
  const auto bases = texts(data, "base_prompts", where), tokens = texts(data, "inserting_tokens", where);
  if (images.empty()) refuse(where + ".images", "nothing", "a list of photos");
  check_lengths(images.size(), prompts.size(), true, where + ".prompts");
  check_lengths(images.size(), bases.size(), false, where + ".base_prompts");
  if (tokens.size() > 1) refuse(where + ".inserting_tokens", "several tokens", "one token for the concept");
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto file = name_below(folder.path, images[i], where + ".images");
    folder.photos.push_back({.name = file,
                             .path = inside(folder.path, file, where),
                             .sha256 = "",
                             .caption = with_slot(prompts[i], tokens.empty() ? "" : tokens.front()),
                             .base_caption = bases.empty() ? "" : bases[i]});
  }
  const auto initializers = texts(data, "initializer_tokens", where);
  if (!tokens.empty() && !initializers.empty() && initializers.size() != tokens.size()) {
    refuse(where + ".initializer_tokens", fmt::format("{} for {} tokens", initializers.size(), tokens.size()),
           "one for each of inserting_tokens");
  }
  if (!initializers.empty()) folder.facts.initializer = initializers.front();
  const auto word = data.find("class");
  folder.facts.class_word =
      word != data.end() && word->is_string() ? word->get<std::string>() : folder.facts.initializer;
}

}  // namespace atelier
