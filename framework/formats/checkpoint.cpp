#include "framework/formats/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/tensor_file.h"
#include "framework/formats/model_locator.h"
#include "framework/formats/pipeline_folder.h"
#include "framework/formats/single_file.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kNetworks = {"unet", "vae", "text_encoder", "text_encoder_2"};

void check_prediction_type(const std::string& type) {
  const std::vector<std::string> known = {"epsilon", "v_prediction", "sample"};
  if (type.empty() || std::find(known.begin(), known.end(), type) != known.end()) return;
  const auto near = nearest(type, known);
  throw Error({.where = "prediction_type",
               .found = fmt::format("\"{}\"", type),
               .expected = "one of " + join(known),
               .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
              ErrorKind::usage);
}

/// The configs of every component whose folder has one, defaults filled in; the scheduler's as "scheduler".
std::map<std::string, Json> configs_of(const PipelineFolder& pipeline) {
  std::map<std::string, Json> configs;
  for (const auto& [name, component] : pipeline.components()) {
    if (!fs::is_regular_file(pipeline.path() / name / "config.json")) continue;
    configs[name] = with_class_defaults(name, pipeline.component(name).config());
  }
  if (pipeline.has("scheduler")) configs["scheduler"] = pipeline.scheduler_config();
  return configs;
}

Family family_of(const std::map<std::string, Json>& configs) {
  const auto unet = configs.find("unet");
  if (unet == configs.end()) return Family::other;
  const auto& width = unet->second.at("cross_attention_dim");
  if (configs.contains("text_encoder") && configs.contains("text_encoder_2")) return Family::sdxl;
  if (width == 768) return Family::sd1;
  return width == 1024 ? Family::sd2 : Family::other;
}

void refuse_inpainting(const std::map<std::string, Json>& configs, const fs::path& path) {
  const auto unet = configs.find("unet");
  if (unet == configs.end() || unet->second.at("in_channels") != 9) return;
  throw Error({.where = (path / "unet" / "config.json").string(),
               .found = "in_channels: 9, an inpainting model",
               .expected = "a text-to-image base model (SD 1.x, SD 2.x or SDXL)"});
}

void add_marks(std::map<std::string, Json>& configs, const SingleFile& file) {
  if (const Json marks = file.scheduler_marks(); !marks.empty()) configs["scheduler"].update(marks);
}

std::string builtin_name(Family family) {
  switch (family) {
    case Family::sd1:
      return "sd15";
    case Family::sd2:
      return "sd21-base";
    case Family::sdxl:
      return "sdxl";
    case Family::other:
      break;
  }
  return {};
}

}  // namespace

/// `folder` is the pipeline, or for a single file the folder that gives configs and tokenizer, if any.
struct Checkpoint::Parts {
  fs::path path;
  CheckpointOptions options;
  std::optional<PipelineFolder> folder;
  std::optional<SingleFile> file;
  Json index;
  std::map<std::string, Json> configs;
  Family family = Family::other;

  [[nodiscard]] WeightChoice choice() const { return {options.variant, options.allow_pickle}; }
};

Checkpoint Checkpoint::open(const fs::path& path, const CheckpointOptions& options) {
  check_prediction_type(options.prediction_type);
  if (!fs::exists(path)) {
    throw Error({.where = path.string(), .found = "no such file or folder", .expected = "a base model"},
                ErrorKind::usage);
  }
  auto parts = fs::is_directory(path) ? open_folder(path, options) : open_file(path, options);
  parts.path = path;
  parts.options = options;
  if (!options.prediction_type.empty()) parts.configs["scheduler"]["prediction_type"] = options.prediction_type;
  return Checkpoint(std::make_shared<const Parts>(std::move(parts)));
}

Checkpoint Checkpoint::open(const ModelLocation& location) {
  return open(location.path, {.variant = location.variant,
                              .allow_pickle = location.allow_pickle,
                              .model_config = location.model_config,
                              .use_ema = location.use_ema,
                              .prediction_type = location.prediction_type});
}

Checkpoint::Parts Checkpoint::open_folder(const fs::path& path, const CheckpointOptions& options) {
  if (options.use_ema || !options.model_config.empty()) {
    throw Error({.where = path.string(),
                 .found = options.use_ema ? "a folder, and use_ema" : "a folder, and model_config",
                 .expected = "a single file with this option",
                 .advice = options.use_ema ? "choose averaged weights by variant" : "leave the option out"},
                ErrorKind::usage);
  }
  Parts parts;
  parts.folder = PipelineFolder::open(path);
  parts.index = parts.folder->index();
  parts.configs = configs_of(*parts.folder);
  refuse_inpainting(parts.configs, path);
  parts.family = family_of(parts.configs);
  return parts;
}

Checkpoint::Parts Checkpoint::open_file(const fs::path& path, const CheckpointOptions& options) {
  Parts parts;
  parts.file.emplace(read_tensor_file(path, options.allow_pickle));
  parts.family = parts.file->family();
  if (!options.model_config.empty()) {
    parts.folder = PipelineFolder::open(options.model_config);
    parts.index = parts.folder->index();
    parts.configs = configs_of(*parts.folder);
    add_marks(parts.configs, *parts.file);
    return parts;
  }
  if (!parts.file->has_published_sizes()) {
    throw Error({.where = path.string(),
                 .found = fmt::format("a model in the layout of {} with other sizes", family_name(parts.family)),
                 .expected = "the published sizes of SD 1.x, SD 2.x or SDXL",
                 .advice = "give the folder that holds its configuration with --model-config"});
  }
  const auto known = known_configs(parts.family, options.prediction_type == "epsilon");
  for (const auto& [name, config] : known.items()) {
    if (name == "model_index") {
      parts.index = config;
    } else {
      parts.configs[name] = with_class_defaults(name, config);
    }
  }
  add_marks(parts.configs, *parts.file);
  return parts;
}

bool Checkpoint::has(const std::string& component) const {
  const bool is_network = std::find(kNetworks.begin(), kNetworks.end(), component) != kNetworks.end();
  if (parts_->file && is_network) return parts_->file->has(component);
  if (parts_->folder) return parts_->folder->has(component);
  return parts_->index.contains(component) && parts_->index.at(component).is_array() &&
         parts_->index.at(component).at(0).is_string();
}

const Json& Checkpoint::config(const std::string& component) const {
  const auto found = parts_->configs.find(component);
  if (found == parts_->configs.end()) {
    throw Error({.where = where(component),
                 .found = has(component) ? "no config.json" : "the model has no such component",
                 .expected = "the configuration of " + component});
  }
  return found->second;
}

std::string Checkpoint::where(const std::string& component) const {
  if (parts_->file) return fmt::format("{} ({})", parts_->path.string(), component);
  return (parts_->path / component).string();
}

TensorFile Checkpoint::weights(const std::string& component) const {
  if (!parts_->file) return parts_->folder->component(component).weights(parts_->choice());
  return parts_->file->weights(component, config(component), parts_->options.use_ema);
}

fs::path Checkpoint::tokenizer_folder(const std::string& name) const {
  if (parts_->folder) return parts_->folder->tokenizer_folder(name);
  // A single file has no tokenizer; the published pipeline of its family has the right one.
  try {
    return PipelineFolder::open(locate_model(builtin_name(parts_->family)).path).tokenizer_folder(name);
  } catch (const Error&) {
    throw Error({.where = parts_->path.string(),
                 .found = fmt::format("a single file, which has no {}", name),
                 .expected = fmt::format("the tokenizer of {}", family_name(parts_->family)),
                 .advice = "give a folder that holds it with --model-config"},
                ErrorKind::usage);
  }
}

const Json& Checkpoint::scheduler_config() const { return config("scheduler"); }

const Json& Checkpoint::model_index() const { return parts_->index; }

Family Checkpoint::family() const { return parts_->family; }

const fs::path& Checkpoint::path() const { return parts_->path; }

std::vector<fs::path> Checkpoint::weight_files() const {
  if (parts_->file) return {parts_->path};
  std::set<fs::path> files;
  for (const auto* name : kNetworks) {
    if (!has(name)) continue;
    for (auto& file : parts_->folder->component(name).weight_files(parts_->choice())) files.insert(std::move(file));
  }
  return {files.begin(), files.end()};
}

}  // namespace atelier
