#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/store_option.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/files/zip_archive.h"
#include "framework/store/queries.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  std::string study, store, out, form = "atelier";
  bool images = false, artifacts = false, json = false;
};

/// A name of any origin as one step of a path: letters, digits and a few signs stay, the rest becomes '_'.
std::string safe_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '=' || c == '.';
    name += plain ? c : '_';
  }
  if (name.empty() || name.front() == '.') name.insert(name.begin(), '_');
  return name.substr(0, 100);
}

class Exporter {
 public:
  Exporter(const Store& store, const ExportOptions& options) : store_(store), options_(options) {}

  void add(const RunInfo& run, const ArtifactInfo& artifact) {
    if (artifact.object.empty()) {
      ++missing_;
      return;
    }
    if (artifact.kind == "sample" && options_.images) write_images(folder_of(run), artifact);
    if (artifact.kind == "train" && options_.artifacts) write_artifact(run, artifact);
  }

  [[nodiscard]] std::size_t written() const { return written_; }
  [[nodiscard]] std::size_t missing() const { return missing_; }

 private:
  [[nodiscard]] fs::path folder_of(const RunInfo& run) const {
    std::string place = run.seed ? fmt::format("seed{}", *run.seed) : "seed-";
    if (run.checkpoint) place += fmt::format("_step{}", *run.checkpoint);
    return fs::path(options_.out) / safe_name(run.label) / safe_name(run.concept_name) / place;
  }

  void write(const fs::path& path, std::span<const std::byte> bytes) {
    fs::create_directories(path.parent_path());
    AtomicFile file(path);
    file.write(bytes);
    file.commit();
    ++written_;
    if (options_.json) {
      fmt::print("{}\n", Json{{"file", path.string()}}.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  }

  void write_images(const fs::path& folder, const ArtifactInfo& artifact) {
    const auto object = MappedFile::open(store_.object_path(artifact.object));
    const ZipArchive archive = ZipArchive::parse(object->bytes(), object->path().string());
    for (const auto& [name, entry] : archive.entries()) {
      write(folder / safe_name(artifact.prompt) / safe_name(name), entry.bytes);
    }
  }

  void write_artifact(const RunInfo& run, const ArtifactInfo& artifact) {
    const auto object = MappedFile::open(store_.object_path(artifact.object));
    const std::string step = artifact.step ? fmt::format("_step{}", *artifact.step) : "";
    write(folder_of(run) / fmt::format("job{}{}.safetensors", artifact.job, step), object->bytes());
  }

  const Store& store_;
  const ExportOptions& options_;
  std::size_t written_ = 0, missing_ = 0;
};

/// The last artifact of every run, for the worker: it knows the form that the method's authors use.
Json author_items(const Store& store, const std::string& manifest, const ExportOptions& options) {
  const Json plan = read_json_file(store.root() / "manifests" / (manifest + ".json"));
  std::map<std::string, Json> items;  // by run
  for (const Json& job : plan.at("jobs")) {
    if (job.at("kind") != "train") continue;
    const auto record = store.find(job.at("outputs").back().at("key").get<std::string>());
    if (!record) continue;
    for (const Json& run : job.at("runs")) {
      Json item = job.at("job");
      item["object"] = store.object_path(record->object).string();
      item["out"] = (fs::path(options.out) / run.get<std::string>()).string();
      items[run.get<std::string>()] = std::move(item);  // a later stage's artifact holds the earlier ones'
    }
  }
  Json all = Json::array();
  for (auto& [run, item] : items) all.push_back(std::move(item));
  return all;
}

int export_study(const ExportOptions& options) {
  if (options.images == options.artifacts) {
    throw Error({.where = "export",
                 .found = options.images ? "both --images and --artifacts" : "neither --images nor --artifacts",
                 .expected = "one of the two"},
                ErrorKind::usage);
  }
  check_output_folder("--out", options.out);
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const std::string manifest = current_manifest(*index, options.study);
  if (options.form == "authors" && options.artifacts) {
    launch_worker({{"job", "export.files"}, {"items", author_items(store, manifest, options)}, {"out", options.out}});
  }
  Exporter exporter(store, options);
  for (const RunInfo& run : runs_of(*index, manifest)) {
    for (const ArtifactInfo& artifact : artifacts_of(*index, manifest, run.run)) exporter.add(run, artifact);
  }
  if (!options.json) fmt::print("{} files written below {}\n", exporter.written(), options.out);
  if (exporter.missing() == 0) return 0;
  fmt::print(stderr, "atelier: {} results are not made yet; `atelier status {}` says which\n", exporter.missing(),
             options.study);
  return 1;
}

}  // namespace

void add_export(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("export", "Write a study's pictures or trained artifacts as ordinary files");
  const auto options = std::make_shared<ExportOptions>();
  app->add_option("study", options->study, "the study's name")->required()->type_name("STUDY");
  app->add_flag("--images", options->images, "pictures: <method>/<concept>/<seed>/<prompt>/<k>.png");
  app->add_flag("--artifacts", options->artifacts, "trained tensors: <method>/<concept>/<seed>/….safetensors");
  one_of(
      app->add_option("--form", options->form, "of artifacts: ours, or the files that the method's own programs write")
          ->capture_default_str(),
      {"atelier", "authors"});
  app->add_option("--out", options->out, "folder to write into")->required()->type_name("DIR");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "one JSON object a file on standard output");
  app->footer(
      "Examples:\n  atelier export demo --images --out pictures\n"
      "  atelier export demo --artifacts --form authors --out checkpoints\n");
  app->callback([options, &action] { action = [options] { return export_study(*options); }; });
}

}  // namespace atelier::cli
