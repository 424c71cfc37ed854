#include "framework/plan/plugins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/data_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> descriptions_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::string text_at(const Json& json, const char* key, const fs::path& path) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_string()) return found->get<std::string>();
  throw Error({.where = fmt::format("{}: {}", path.string(), key),
               .found = "no text",
               .expected = "a text",
               .advice = "rebuild or reinstall the plugin"});
}

void check_api(const Json& json, const fs::path& path) {
  const auto schema = json.is_object() ? json.value("schema", Json()) : Json();
  if (schema != "atelier.plugin/1") {
    throw Error({.where = path.string() + ": schema",
                 .found = schema.dump(),
                 .expected = "\"atelier.plugin/1\"",
                 .advice = "rebuild or reinstall the plugin"});
  }
  if (const auto api = json.value("api", Json()); api != kPluginApi) {
    throw Error({.where = path.string() + ": api",
                 .found = "written for plugin API " + api.dump(),
                 .expected = std::to_string(kPluginApi),
                 .advice = "rebuild the plugin with this Atelier's headers"});
  }
}

PluginDescription read_description(const fs::path& path, DigestCache& digests) {
  const auto json = read_json_file(path);
  check_api(json, path);
  PluginDescription plugin{.library = fs::path(path).replace_extension(".so"),
                           .build = text_at(json, "build", path),
                           .torch = text_at(json, "torch", path),
                           .compiler = text_at(json, "compiler", path),
                           .method = method_spec_from_json(json.value("method", Json()), path.string())};
  if (const auto found = digests.digest(plugin.library); found != plugin.build) {
    throw Error(
        {.where = path.string() + ": build",
         .found = fmt::format("{} is another library ({}…)", plugin.library.filename().string(), found.substr(0, 12)),
         .expected = plugin.build.substr(0, 12) + "…",
         .advice = "rebuild or reinstall the plugin, so that its description is written anew"});
  }
  return plugin;
}

}  // namespace

std::vector<fs::path> plugin_search_path() {
  std::vector<fs::path> folders;
  const char* named = std::getenv("ATELIER_PLUGINS");
  std::string rest = named == nullptr ? "" : named;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    if (colon != 0) folders.emplace_back(rest.substr(0, colon));
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  folders.push_back(program_folder().parent_path() / "lib" / "atelier" / "plugins");
  return folders;
}

PluginCatalog::PluginCatalog(DigestCache& digests, std::vector<fs::path> folders) : folders_(std::move(folders)) {
  for (const auto& folder : folders_) {
    for (const auto& description : descriptions_in(folder)) add(description, digests);
  }
  std::ranges::sort(plugins_, {}, [](const PluginDescription& plugin) { return plugin.method.name; });
}

void PluginCatalog::add(const fs::path& description, DigestCache& digests) {
  const auto stem = description.stem().string();
  const auto is_known = [&](const PluginDescription& plugin) { return plugin.method.name == stem; };
  if (std::ranges::any_of(plugins_, is_known)) return;
  try {
    auto plugin = read_description(description, digests);
    if (plugin.method.name != stem) {
      throw Error({.where = description.string(),
                   .found = fmt::format("a method named \"{}\"", plugin.method.name),
                   .expected = fmt::format("the name of the file, \"{}\"", stem)});
    }
    plugins_.push_back(std::move(plugin));
  } catch (const Error& error) {
    problems_.push_back({stem, error.what()});
  }
}

const PluginDescription& PluginCatalog::find(const std::string& name) const {
  const auto found = std::ranges::find(plugins_, name, [](const auto& plugin) { return plugin.method.name; });
  if (found != plugins_.end()) return *found;
  if (const auto bad = std::ranges::find(problems_, name, &PluginProblem::name); bad != problems_.end()) {
    throw Error({.where = fmt::format("method \"{}\"", name), .found = bad->text}, ErrorKind::usage);
  }
  std::vector<std::string> known, places;
  for (const auto& plugin : plugins_) known.push_back(plugin.method.name);
  for (const auto& folder : folders_) places.push_back(folder.string());
  const auto near = nearest(name, known);
  throw Error(
      {.where = fmt::format("method \"{}\"", name),
       .found = "no plugin of this name in " + join(places),
       .expected = known.empty() ? "an installed plugin" : "one of " + join(known),
       .advice = near.empty() ? "name the plugin's folder in ATELIER_PLUGINS" : fmt::format("did you mean {}?", near)},
      ErrorKind::usage);
}

}  // namespace atelier
