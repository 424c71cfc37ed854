#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/execution.h"
#include "framework/cli/options.h"
#include "framework/cli/store_option.h"
#include "framework/cli/study_file.h"
#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

struct TrainOptions {
  std::string method, images, class_word, base, out, store, preset, device = "auto", dtype = "float32";
  std::int64_t seed = 0;
  std::vector<std::string> settings;
  bool json = false;
};

/// One method, one concept: a study of one cell.
std::string study_text(const TrainOptions& options, const std::string& name) {
  Json method{{"base", options.base}};
  if (!options.preset.empty()) method["preset"] = options.preset;
  const Json chosen = parse_settings(options.settings);
  if (!chosen.empty()) method["options"] = chosen;
  const Json study{
      {"study", name},
      {"concepts",
       {{{"name", "concept"}, {"path", fs::absolute(options.images).string()}, {"class", options.class_word}}}},
      {"methods", {{options.method, method}}},
      {"placement", {{"device", options.device}, {"dtype", options.dtype}}},
      {"seed", options.seed}};
  return pretty_json(study);
}

/// The artifact of the last training job.
void write_artifact(const Json& manifest, const Store& store, const fs::path& out) {
  const Json* last = nullptr;
  for (const Json& job : manifest.at("jobs")) {
    if (job.at("kind") == "train") last = &job;
  }
  const auto record = store.find(last->at("outputs").back().at("key").get<std::string>());
  if (!record)
    throw Error({.where = "train", .found = "no artifact in the store", .expected = "what the training published"});
  fs::create_directories(out);
  const auto object = MappedFile::open(store.object_path(record->object));
  AtomicFile file(out / "artifact.safetensors");
  file.write(object->bytes());
  file.commit();
  fmt::print("written: {}\n", (out / "artifact.safetensors").string());
}

int train(const TrainOptions& options) {
  check_output_folder("--out", options.out);
  // The name tells one training from another, so that `status` lists them apart.
  const std::string name = "train_" + sha256_hex(study_text(options, "")).substr(0, 8);
  const Json manifest = plan_text(study_text(options, name), "train", fs::current_path(), {});
  const Store store = create_store(options.store);
  const int code = execute_manifest(manifest, store, options.json);
  if (code == 0) write_artifact(manifest, store, options.out);
  return code;
}

}  // namespace

void add_train(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("train", "One method on the photos of one concept");
  const auto options = std::make_shared<TrainOptions>();
  app->add_option("method", options->method, "an installed method (see `atelier plugins`)")
      ->required()
      ->type_name("METHOD");
  existing_folder(app->add_option("--images", options->images, "folder with the concept's photos")->required());
  app->add_option("--class", options->class_word, "class word: cat, backpack, …")->required()->type_name("WORD");
  app->add_option("--base", options->base, "base model: a folder, a file or a name")->required()->type_name("NAME");
  app->add_option("--preset", options->preset, "a preset of the method (default: its first)")->type_name("NAME");
  add_settings(*app, options->settings, "an option of the method: lora_rank=4, ut.learning_rate=1e-4");
  whole_number(app->add_option("--seed", options->seed, "of everything that is drawn")->capture_default_str(), 0,
               1'000'000'000);
  one_of(app->add_option("--dtype", options->dtype, "type of the frozen weights")->capture_default_str(),
         {"float32", "bfloat16"});
  app->add_option("--device", options->device, "auto, cpu or cuda:0")->capture_default_str()->type_name("DEVICE");
  app->add_option("--out", options->out, "folder for artifact.safetensors")->required()->type_name("DIR");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "one JSON object an event on standard output");
  app->footer(
      "Example:\n  atelier train textual_inversion --images photos/cat --class cat --base sd15 --out out/cat\n");
  app->callback([options, &action] { action = [options] { return train(*options); }; });
}

}  // namespace atelier::cli
