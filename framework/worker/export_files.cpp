#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/files/safetensors_writer.h"
#include "framework/methods/loader.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/worker/artifact_object.h"
#include "framework/worker/artifacts.h"
#include "framework/worker/base_cache.h"
#include "framework/worker/job.h"
#include "framework/worker/whole_pipeline.h"

namespace atelier::worker {
namespace {

/// Where a file that a plugin names may lie. Throws Error for a name that leads out of the folder.
std::filesystem::path place_of(const std::filesystem::path& folder, const std::string& name) {
  const auto inside = std::filesystem::path(name).lexically_normal();
  if (inside.empty() || inside.is_absolute() || *inside.begin() == ".." || !inside.has_filename()) {
    throw Error(
        {.where = folder.string(), .found = "a file named \"" + name + "\"", .expected = "a name in the folder"});
  }
  const auto place = folder / inside;
  std::filesystem::create_directories(place.parent_path());
  return place;
}

/// One artifact, applied, as a whole model. Returns how many files that are.
std::size_t export_pipeline(const Job& item, BaseCache& bases) {
  Session session(bases.get(item));
  const auto object = ArtifactObject::read(item.text("object"));
  MethodPlugin::open(item.text("plugin")).create()->apply(session, object.artifact, 1.0);
  return write_whole_pipeline(session, item.text("out"));
}

/// One artifact in the form of its authors. Returns how many files that are.
std::size_t export_item(const Job& item, BaseCache& bases) {
  const auto plugin = MethodPlugin::open(item.text("plugin"));
  Session session(bases.get(item));
  const auto object = ArtifactObject::read(item.text("object"));
  const auto method = plugin.create();
  const ModuleNames names = module_names(session);
  const auto files = method->files(object.artifact, names);
  const auto others = method->other_files(object.artifact, names);
  const std::filesystem::path folder = item.text("out");
  for (const auto& [name, content] : files) {
    write_safetensors(place_of(folder, name), content.tensors, {.metadata = content.metadata, .add_format = false});
  }
  for (const auto& [name, bytes] : others) write_file_atomically(place_of(folder, name), bytes);
  auto written = files.size() + others.size();
  const auto components = method->components(object.artifact);
  if (!components.empty()) method->apply(session, object.artifact, 1.0);
  for (const auto& [name, component] : components) {
    written += write_whole_component(session, component, place_of(folder, name));
  }
  if (written == 0) fmt::print(stderr, "atelier: {} has no file form of its own\n", plugin.spec().name);
  return written;
}

}  // namespace

void run_export_files(const Job& job) {
  const Json* items = job.find("items");
  if (items == nullptr || !items->is_array()) {
    throw Error({.where = "job: items", .found = "nothing", .expected = "a list of artifacts"}, ErrorKind::usage);
  }
  BaseCache bases;
  std::size_t written = 0;
  const bool whole = job.optional_text("form").value_or("authors") == "pipeline";
  for (const Json& item : *items) written += whole ? export_pipeline(Job(item), bases) : export_item(Job(item), bases);
  fmt::print("{} files written below {}\n", written, job.text("out"));
  if (const auto missing = job.optional_integer("missing").value_or(0); missing > 0) {
    throw Error({.where = "export",
                 .found = fmt::format("{} runs that are not trained yet", missing),
                 .expected = "an artifact of every run",
                 .advice = "`atelier status` says which; the others are written"});
  }
}

}  // namespace atelier::worker
