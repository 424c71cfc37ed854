#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/safe_names.h"
#include "framework/cli/store_option.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/core/text.h"
#include "framework/files/zip_archive.h"
#include "framework/formats/convert.h"
#include "framework/formats/merge.h"
#include "framework/image/encode.h"
#include "framework/store/bundle.h"
#include "framework/store/manifest_parts.h"
#include "framework/store/queries.h"
#include "reports/grid_image.h"
#include "reports/pictures.h"
#include "reports/svg_pdf.h"
#include "reports/table.h"
#include "reports/tradeoff.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  std::string study, store, out, grid, bundle, figure, evaluation, form = "atelier";
  std::vector<std::string> concepts;
  std::int64_t prompts = 12, cell = 0, across = 1;
  bool images = false, masks = false, artifacts = false, json = false, with_pictures = false;
};

/// The folder of every run: `<method>/<concept>/seed<S>_step<C>`. Runs that would share one (anchors of two base models
/// with one name) get their ids behind it.
std::map<std::string, fs::path> folders_of(const std::vector<RunInfo>& runs) {
  std::set<std::string> labels, concepts;
  for (const RunInfo& run : runs) labels.insert(run.label), concepts.insert(run.concept_name);
  const auto label_names = safe_names(labels), concept_names = safe_names(concepts);
  std::map<std::string, fs::path> folders;
  std::map<fs::path, int> uses;
  for (const RunInfo& run : runs) {
    std::string place = run.seed ? fmt::format("seed{}", *run.seed) : "seed-";
    if (run.checkpoint) place += fmt::format("_step{}", *run.checkpoint);
    const auto& folder = folders[run.run] =
        fs::path(label_names.at(run.label)) / concept_names.at(run.concept_name) / place;
    ++uses[folder];
  }
  for (auto& [run, folder] : folders) {
    if (uses[folder] > 1) folder += "_" + run;
  }
  return folders;
}

/// Sampled here, or another program's.
bool has_pictures(const ArtifactInfo& artifact) { return artifact.kind == "sample" || artifact.kind == "given"; }

/// What `--images`, or `--masks`, writes.
bool is_written(const ArtifactInfo& artifact, bool masks) {
  return masks ? artifact.kind == "mask" : has_pictures(artifact);
}

/// Trained, or merged from two that were.
bool is_artifact(const ArtifactInfo& artifact) { return artifact.kind == "train" || artifact.kind == "merge"; }

/// The folder of each set of a run's pictures, by key: the prompt's name. Where evaluations want pictures of one prompt
/// otherwise (another size or number), theirs stand behind it.
std::map<std::string, std::string> prompt_folders(const std::vector<ArtifactInfo>& artifacts, bool masks) {
  std::map<std::string, int> uses;
  for (const ArtifactInfo& artifact : artifacts) uses[artifact.prompt] += is_written(artifact, masks) ? 1 : 0;
  std::map<std::string, std::string> texts;  // by key
  std::set<std::string> all;
  for (const ArtifactInfo& artifact : artifacts) {
    if (!is_written(artifact, masks)) continue;
    std::string text = artifact.prompt;
    if (uses[artifact.prompt] > 1) {
      text += "." + (artifact.evaluations.empty() ? artifact.key.substr(0, 8) : join(artifact.evaluations, "+"));
    }
    all.insert(text);
    texts[artifact.key] = std::move(text);
  }
  const auto names = safe_names(all);
  for (auto& [key, text] : texts) text = names.at(text);
  return texts;
}

class Exporter {
 public:
  Exporter(const Store& store, const ExportOptions& options) : store_(store), options_(options) {}

  void add(const fs::path& folder, const std::vector<ArtifactInfo>& artifacts) {
    const auto prompts = prompt_folders(artifacts, options_.masks);
    for (const ArtifactInfo& artifact : artifacts) {
      if (!artifact.own) continue;
      if (artifact.object.empty()) {
        ++missing_;
      } else if (store_.released(artifact.key)) {
        ++released_;
      } else if ((options_.images || options_.masks) && is_written(artifact, options_.masks)) {
        write_images(fs::path(options_.out) / folder / prompts.at(artifact.key), artifact);
      } else if (is_artifact(artifact) && options_.artifacts) {
        write_artifact(fs::path(options_.out) / folder, artifact);
      }
    }
  }

  [[nodiscard]] std::size_t written() const { return written_; }
  [[nodiscard]] std::size_t missing() const { return missing_; }
  [[nodiscard]] std::size_t released() const { return released_; }

 private:
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
    std::set<std::string> entries;
    for (const auto& [name, entry] : archive.entries()) entries.insert(name);
    const auto names = safe_names(entries);
    for (const auto& [name, entry] : archive.entries()) write(folder / names.at(name), entry.bytes);
  }

  void write_artifact(const fs::path& folder, const ArtifactInfo& artifact) {
    const auto object = MappedFile::open(store_.object_path(artifact.object));
    const std::string step = artifact.step ? fmt::format("_step{}", *artifact.step) : "";
    write(folder / fmt::format("job{}{}.safetensors", artifact.job, step), object->bytes());
  }

  const Store& store_;
  const ExportOptions& options_;
  std::size_t written_ = 0, missing_ = 0, released_ = 0;
};

/// The artifact of every run, for the worker: it knows the form that the method's authors use. `missing`: runs that
/// are not trained yet.
Json author_items(const Store& store, Index& index, const std::string& manifest, const fs::path& out,
                  std::size_t& missing) {
  const Json plan = read_json_file(store.root() / "manifests" / (manifest + ".json"));
  Json items = Json::array();
  for (const RunInfo& run : runs_of(index, manifest)) {
    const auto artifacts = artifacts_of(index, manifest, run.run);
    const auto own = [](const ArtifactInfo& each) { return is_artifact(each) && each.own; };
    const auto last = std::ranges::find_if(artifacts.rbegin(), artifacts.rend(), own);  // holds the earlier stages'
    if (last == artifacts.rend()) continue;                                             // an anchor
    if (last->object.empty() || store.released(last->key)) {
      ++missing;
      continue;
    }
    Json item = job_content(plan, plan.at("jobs").at(static_cast<std::size_t>(last->job)));
    item["object"] = store.object_path(last->object).string();
    item["out"] = (out / run.run).string();
    items.push_back(std::move(item));
  }
  return items;
}

/// Every run's last artifact as a LoRA that other programs load, with its tokens, in a folder named by the run. Returns
/// how many were written; methods that learn more or else are named on standard error.
std::size_t write_loras(const Json& items) {
  std::size_t written = 0;
  for (const Json& item : items) {
    const auto object = item.at("object").get<std::string>();
    const auto out = item.at("out").get<std::string>();
    const auto kind = sniff_artifact(object);
    if (kind != ArtifactKind::lora && kind != ArtifactKind::lora_and_embedding) {
      fmt::print(stderr, "atelier: {} learned no LoRA: nothing is written for {}\n",
                 item.at("method").get<std::string>(), out);
      continue;
    }
    const auto artifact = read_for_conversion(object, nullptr, "");
    write_merged_lora(artifact.lora->entries, artifact.embeddings, out);
    ++written;
  }
  return written;
}

int export_loras(const ExportOptions& options, const Json& items, std::size_t missing) {
  const auto written = write_loras(items);
  if (options.json) {
    for (const Json& item : items) {
      if (!fs::exists(item.at("out").get<std::string>())) continue;
      fmt::print("{}\n", Json{{"folder", item.at("out")}}.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  } else {
    fmt::print("{} LoRAs written below {}\n", written, options.out);
  }
  if (missing == 0) return 0;
  fmt::print(stderr, "atelier: {} runs are not trained yet; `atelier status {}` says which\n", missing, options.study);
  return 1;
}

void check_choice(const ExportOptions& options) {
  const std::string all = "--images, --masks, --artifacts, --grid, --figure and --bundle";
  const auto chosen = static_cast<int>(options.images) + static_cast<int>(options.masks) +
                      static_cast<int>(options.artifacts) + static_cast<int>(!options.grid.empty()) +
                      static_cast<int>(!options.figure.empty()) + static_cast<int>(!options.bundle.empty());
  if (chosen != 1) {
    throw Error(
        {.where = "export", .found = (chosen == 0 ? "none of " : "several of ") + all, .expected = "one of them"},
        ErrorKind::usage);
  }
  const bool folder = options.images || options.masks || options.artifacts;
  if (folder == options.out.empty()) {
    const std::string other = !options.grid.empty() ? "--grid" : !options.figure.empty() ? "--figure" : "--bundle";
    throw Error({.where = "export",
                 .found = folder ? "no --out" : "--out with " + other,
                 .expected = folder ? "--out DIR, the folder to write into" : other + " alone, with what to write"},
                ErrorKind::usage);
  }
  if (options.with_pictures && options.bundle.empty()) {
    throw Error({.where = "export", .found = "--with-pictures without --bundle", .expected = "--bundle DIR with it"},
                ErrorKind::usage);
  }
}

/// Those of the concepts that are asked for, in that order; all where none is.
std::vector<reports::ConceptGrid> chosen_grids(std::vector<reports::ConceptGrid> grids,
                                               const std::vector<std::string>& concepts) {
  if (concepts.empty()) return grids;
  std::vector<reports::ConceptGrid> chosen;
  for (const auto& name : concepts) {
    const auto grid = std::ranges::find(grids, name, &reports::ConceptGrid::subject);
    if (grid == grids.end()) {
      std::string known;
      for (const auto& other : grids) known += (known.empty() ? "" : ", ") + other.subject;
      throw Error({.where = "--concepts", .found = name, .expected = "concepts of the study: " + known},
                  ErrorKind::usage);
    }
    chosen.push_back(*grid);
  }
  return chosen;
}

/// As JPEG where the name says so, else as PNG. Of JPEG, a quality at which small pictures show no blocks.
void write_grid(const std::string& file, const Image& image) {
  constexpr int kQuality = 90;
  if (!file.ends_with(".jpg") && !file.ends_with(".jpeg")) return write_png(file, image);
  const auto bytes = encode_jpeg(image, kQuality);
  write_file_atomically(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// One picture of all; 1 when something in it is not made yet.
int export_grid(const ExportOptions& options) {
  check_output("--grid", options.grid);
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const auto grids =
      chosen_grids(reports::read_grids(*index, store, current_manifest(*index, options.study),
                                       {.prompts = static_cast<std::size_t>(options.prompts), .every_seed = false}),
                   options.concepts);
  reports::PictureReader reader(store);
  const Image image = reports::draw_grids(
      grids, reader, {.side = static_cast<int>(options.cell), .across = static_cast<int>(options.across)});
  write_grid(options.grid, image);
  if (options.json) {
    fmt::print("{}\n", Json{{"file", options.grid}}.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}: {} x {} pixels\n", options.grid, image.width, image.height);
  }
  std::size_t missing = 0;
  for (const auto& grid : grids) {
    for (const auto& row : grid.rows) {
      missing += static_cast<std::size_t>(std::ranges::count_if(
          row.cells, [](const reports::GridCell& cell) { return !cell.key.empty() && cell.object.empty(); }));
    }
  }
  if (missing == 0) return 0;
  fmt::print(stderr, "atelier: {} pictures of the grid are not made yet; `atelier status {}` says which\n", missing,
             options.study);
  return 1;
}

/// The trade-off plot of one evaluation, in the form that the file's name says.
int export_figure(const ExportOptions& options) {
  check_output("--figure", options.figure);
  const bool pdf = options.figure.ends_with(".pdf");
  if (!pdf && !options.figure.ends_with(".svg")) {
    throw Error({.where = "--figure", .found = options.figure, .expected = "a file .svg or .pdf"}, ErrorKind::usage);
  }
  const auto index = open_index(open_store(options.store));
  const auto table = reports::make_table(*index, current_manifest(*index, options.study),
                                         {.study = options.study, .rows = {"method"}});
  const auto all = reports::tradeoffs_of(table.columns);
  std::vector<std::string> names;
  for (const auto& each : all) names.push_back(each.evaluation);
  const auto chosen = options.evaluation.empty()
                          ? (all.size() == 1 ? all.begin() : all.end())
                          : std::ranges::find(all, options.evaluation, &reports::Tradeoff::evaluation);
  if (chosen == all.end()) {
    throw Error({.where = "--evaluation",
                 .found = options.evaluation.empty() ? fmt::format("none, of {}", all.size()) : options.evaluation,
                 .expected = names.empty() ? "an evaluation that scores identity and text" : "one of " + join(names)},
                ErrorKind::usage);
  }
  const auto svg = reports::tradeoff_svg(table, *chosen);
  write_file_atomically(options.figure, pdf ? reports::svg_to_pdf(svg) : svg);
  if (options.json) {
    fmt::print("{}\n", Json{{"file", options.figure}}.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}\n", options.figure);
  }
  return 0;
}

/// What the bundle was made from stays. A store that cannot be written is no reason against a bundle.
void pin(const Store& store, const std::string& manifest, bool pictures) try {
  put_pin(store, pin_of_bundle(store, manifest, pictures));
} catch (const Error& error) {
  fmt::print(stderr, "atelier: {}\n", error.what());
}

/// What reprints the tables elsewhere, as a store of its own.
int export_bundle(const ExportOptions& options) {
  check_output_folder("--bundle", options.bundle);
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const auto manifest = current_manifest(*index, options.study);
  const auto written = write_bundle(store, manifest, options.bundle, options.with_pictures);
  pin(store, manifest, options.with_pictures);
  if (options.json) {
    fmt::print("{}\n", Json{{"bundle", options.bundle}, {"files", written.files}, {"bytes", written.bytes}}.dump(
                           -1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}: {} files, {:.1f} MB\n", options.bundle, written.files, static_cast<double>(written.bytes) / 1e6);
  }
  return 0;
}

int export_study(const ExportOptions& options) {
  check_choice(options);
  if (!options.bundle.empty()) return export_bundle(options);
  if (!options.figure.empty()) return export_figure(options);
  if (!options.grid.empty()) return export_grid(options);
  check_output_folder("--out", options.out);
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const std::string manifest = current_manifest(*index, options.study);
  if (options.form != "atelier" && options.artifacts) {
    std::size_t missing = 0;
    const Json items = author_items(store, *index, manifest, options.out, missing);
    if (options.form == "lora") return export_loras(options, items, missing);
    launch_worker({{"job", "export.files"},
                   {"items", items},
                   {"form", options.form},
                   {"missing", missing},
                   {"out", options.out}});
  }
  Exporter exporter(store, options);
  const auto runs = runs_of(*index, manifest);
  const auto folders = folders_of(runs);
  for (const RunInfo& run : runs) exporter.add(folders.at(run.run), artifacts_of(*index, manifest, run.run));
  if (!options.json) fmt::print("{} files written below {}\n", exporter.written(), options.out);
  if (exporter.released() > 0) {
    fmt::print(stderr, "atelier: {} results were removed after they were scored, as the study's `keep` says\n",
               exporter.released());
  }
  if (exporter.missing() == 0) return 0;
  fmt::print(stderr, "atelier: {} results are not made yet; `atelier status {}` says which\n", exporter.missing(),
             options.study);
  return 1;
}

}  // namespace

void add_export(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand(
      "export", "Write a study's pictures or artifacts as ordinary files, or a bundle that reprints its tables");
  const auto options = std::make_shared<ExportOptions>();
  app->add_option("study", options->study, "the study's name")->required()->type_name("STUDY");
  app->add_flag("--images", options->images, "pictures: <method>/<concept>/<seed>/<prompt>/<k>.png");
  app->add_flag("--masks", options->masks, "the masks of pictures, in the same folders, and those of the photos");
  app->add_flag("--artifacts", options->artifacts, "trained tensors: <method>/<concept>/<seed>/….safetensors");
  one_of(app->add_option(
                "--form", options->form,
                "of artifacts: ours, the files that the method's own programs write, a LoRA with its tokens for any "
                "program, or a whole model for diffusers")
             ->capture_default_str(),
         {"atelier", "authors", "lora", "pipeline"});
  app->add_option(
         "--grid", options->grid,
         "one picture, .png or .jpg: for each concept its photos, a row a method and anchor, a column a prompt")
      ->type_name("FILE");
  whole_number(app->add_option("--prompts", options->prompts, "most prompts in the grid")->capture_default_str(), 1,
               1000);
  whole_number(app->add_option("--cell", options->cell, "side of the grid's squares in pixels; 0: the pictures' own")
                   ->capture_default_str(),
               0, 4096);
  app->add_option("--concepts", options->concepts, "concepts in the grid, with commas between (default: all)")
      ->delimiter(',')
      ->type_name("NAMES");
  whole_number(
      app->add_option("--across", options->across, "so many concepts beside each other")->capture_default_str(), 1,
      1000);
  app->add_option("--figure", options->figure, "identity against text as a plot, .svg or .pdf")->type_name("FILE");
  app->add_option("--evaluation", options->evaluation, "the evaluation that --figure shows (default: the only one)")
      ->type_name("NAME");
  app->add_option("--bundle", options->bundle,
                  "a folder to make, from which `table` and `report` with --store DIR print the same elsewhere")
      ->type_name("DIR");
  app->add_flag("--with-pictures", options->with_pictures, "put the pictures into the bundle too");
  app->add_option("--out", options->out, "folder to write into, for --images, --masks and --artifacts")
      ->type_name("DIR");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "one JSON object a file on standard output");
  app->footer(
      "Examples:\n  atelier export demo --images --out pictures\n"
      "  atelier export demo --artifacts --form authors --out checkpoints\n"
      "  atelier export demo --artifacts --form lora --out loras\n"
      "  atelier export demo --artifacts --form pipeline --out pipelines\n"
      "  atelier export demo --grid grid.png --cell 128\n"
      "  atelier export demo --grid grid.png --concepts cat,dog,teapot --across 3\n"
      "  atelier export demo --figure tradeoff.pdf\n"
      "  atelier export demo --bundle demo-bundle\n");
  app->callback([options, &action] { action = [options] { return export_study(*options); }; });
}

}  // namespace atelier::cli
