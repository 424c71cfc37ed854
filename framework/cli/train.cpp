#include <fmt/format.h>

#include <algorithm>
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
  std::string method, images, class_word, class_images, base, out, store, preset, device = "auto", dtype = "float32";
  std::int64_t seed = 0, fixed_loss = 0;
  std::vector<std::string> settings;
  bool json = false;
};

/// A study of one method and one concept. Each of its values knows the option that gave it.
class OneCell {
 public:
  explicit OneCell(const TrainOptions& options) : options_(options) {}

  YamlNode study(const std::string& name) {
    YamlNode subject =
        map({entry("name", "concept", "--images"), entry("path", fs::absolute(options_.images).string(), "--images"),
             entry("class", options_.class_word, "--class")});
    if (!options_.class_images.empty()) {
      subject.entries.push_back(entry("class_images", fs::absolute(options_.class_images).string(), "--class-images"));
    }
    subject.at = place("--images");
    YamlNode concepts = map({});
    concepts.kind = YamlNode::Kind::list;
    concepts.items.push_back(std::move(subject));
    YamlNode methods = map({{options_.method, place("METHOD"), method()}});
    YamlNode placement = map({entry("device", options_.device, "--device"), entry("dtype", options_.dtype, "--dtype")});
    return map({entry("study", name, "train"),
                {"concepts", place("--images"), std::move(concepts)},
                {"methods", place("METHOD"), std::move(methods)},
                {"placement", place("--device"), std::move(placement)},
                entry("seed", options_.seed, "--seed"),
                entry("fixed_loss", options_.fixed_loss, "--fixed-loss")});
  }

 private:
  YamlNode method() {
    YamlNode made = map({entry("base", options_.base, "--base")});
    if (!options_.preset.empty()) made.entries.push_back(entry("preset", options_.preset, "--preset"));
    YamlNode chosen = map({});
    const Json settings = parse_settings(options_.settings);
    for (const auto& [key, value] : settings.items()) {
      chosen.entries.push_back(entry(key, value, fmt::format("--set {}={}", key, text_of(value))));
    }
    if (!chosen.entries.empty()) made.entries.push_back({"options", place("--set"), std::move(chosen)});
    return made;
  }

  static std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  YamlNode map(std::vector<YamlEntry> entries) {
    YamlNode node = yaml_node(Json::object(), place("METHOD"));
    node.entries = std::move(entries);
    return node;
  }

  YamlEntry entry(const std::string& key, const Json& value, const std::string& option) {
    const auto at = place(option);
    return {key, at, yaml_node(value, at)};
  }

  /// Faults are told in the order in which the options were asked for their place.
  SourcePosition place(const std::string& option) {
    return {.line = ++places_, .column = 0, .override_text = option, .command = true};
  }

  const TrainOptions& options_;
  std::size_t places_ = 0;
};

/// The artifact of the last training job.
void write_artifact(const Json& manifest, const Store& store, const TrainOptions& options) {
  const Json* last = nullptr;
  for (const Json& job : manifest.at("jobs")) {
    if (job.at("kind") == "train") last = &job;
  }
  const auto record = store.find(last->at("outputs").back().at("key").get<std::string>());
  if (!record)
    throw Error({.where = "train", .found = "no artifact in the store", .expected = "what the training published"});
  const fs::path out = options.out;
  fs::create_directories(out);
  const auto object = MappedFile::open(store.object_path(record->object));
  AtomicFile file(out / "artifact.safetensors");
  file.write(object->bytes());
  file.commit();
  const std::string written = (out / "artifact.safetensors").string();
  if (options.json) {
    const Json event{{"event", "written"}, {"file", written}};
    fmt::print("{}\n", event.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("written: {}\n", written);
  }
}

/// A folder that nothing reads is a mistake.
void check_class_images(const Json& manifest, const TrainOptions& options) {
  const auto& jobs = manifest.at("jobs");
  const auto reads = [](const Json& job) { return job.at("job").contains("class_photos"); };
  if (options.class_images.empty() || std::any_of(jobs.begin(), jobs.end(), reads)) return;
  throw Error({.where = "--class-images",
               .found = "a folder that these options do not train on",
               .expected = "a method with prior preservation, switched on",
               .advice = "see `atelier plugins " + options.method + "`: --set with_prior_preservation=true"},
              ErrorKind::usage);
}

int train(const TrainOptions& options) {
  check_output_folder("--out", options.out);
  // The name tells one training from another, so that `status` lists them apart.
  const std::string name = "train_" + sha256_hex(pretty_json(yaml_json(OneCell(options).study("")))).substr(0, 8);
  const Json manifest = plan_tree(OneCell(options).study(name), "train", fs::current_path());
  check_class_images(manifest, options);
  const Store store = create_store(options.store);
  const int code = execute_manifest(manifest, store, {.json = options.json, .retry_failed = true});
  if (code == 0) write_artifact(manifest, store, options);
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
  existing_folder(app->add_option("--class-images", options->class_images,
                                  "folder with images of the class, for prior preservation (default: the base model "
                                  "draws them where they are needed)"));
  app->add_option("--base", options->base, "base model: a folder, a file or a name")->required()->type_name("NAME");
  app->add_option("--preset", options->preset, "a preset of the method (default: its first)")->type_name("NAME");
  add_settings(*app, options->settings, "an option of the method: lora_rank=4, ut.learning_rate=1e-4");
  whole_number(app->add_option("--seed", options->seed, "of everything that is drawn")->capture_default_str(), 0,
               1'000'000'000);
  whole_number(
      app->add_option("--fixed-loss", options->fixed_loss,
                      "measure the loss on fixed photos before and after, with so many timesteps for each; 0: no")
          ->capture_default_str(),
      0, 1000);
  one_of(app->add_option("--dtype", options->dtype, "type of the frozen weights")->capture_default_str(),
         {"float32", "bfloat16"});
  app->add_option("--device", options->device, "auto (a GPU where there is one), cpu or cuda:0")
      ->capture_default_str()
      ->type_name("DEVICE");
  app->add_option("--out", options->out, "folder for artifact.safetensors")->required()->type_name("DIR");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "one JSON object an event on standard output");
  app->footer(
      "Example:\n  atelier train textual_inversion --images photos/cat --class cat --base sd15 --out out/cat\n");
  app->callback([options, &action] { action = [options] { return train(*options); }; });
}

}  // namespace atelier::cli
