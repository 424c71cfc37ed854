#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/safetensors_writer.h"
#include "framework/methods/loader.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/worker/artifact_object.h"
#include "framework/worker/artifacts.h"
#include "framework/worker/base_cache.h"
#include "framework/worker/job.h"

namespace atelier::worker {
namespace {

/// One artifact in the form of its authors. Returns how many files that are.
std::size_t export_item(const Job& item, BaseCache& bases) {
  const auto plugin = MethodPlugin::open(item.text("plugin"));
  Session session(bases.get(item));
  const auto object = ArtifactObject::read(item.text("object"));
  const auto files = plugin.create()->files(object.artifact, module_names(session));
  const std::filesystem::path folder = item.text("out");
  for (const auto& [name, content] : files) {
    std::filesystem::create_directories((folder / name).parent_path());
    write_safetensors(folder / name, content.tensors, {.metadata = content.metadata, .add_format = false});
  }
  if (files.empty()) fmt::print(stderr, "atelier: {} has no file form of its own\n", plugin.spec().name);
  return files.size();
}

}  // namespace

void run_export_files(const Job& job) {
  const Json* items = job.find("items");
  if (items == nullptr || !items->is_array()) {
    throw Error({.where = "job: items", .found = "nothing", .expected = "a list of artifacts"}, ErrorKind::usage);
  }
  BaseCache bases;
  std::size_t written = 0;
  for (const Json& item : *items) written += export_item(Job(item), bases);
  fmt::print("{} files written below {}\n", written, job.text("out"));
  if (const auto missing = job.optional_integer("missing").value_or(0); missing > 0) {
    throw Error({.where = "export",
                 .found = fmt::format("{} runs that are not trained yet", missing),
                 .expected = "an artifact of every run",
                 .advice = "`atelier status` says which; the others are written"});
  }
}

}  // namespace atelier::worker
