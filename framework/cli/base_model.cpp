#include "framework/cli/base_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/cli/options.h"
#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/formats/model_locator.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

/// A pipeline's index lists a component as [library, class], or as [null, null] where it is absent.
bool lists(const Json& index, const char* component) {
  const auto found = index.find(component);
  return found != index.end() && found->is_array() && !found->empty() && !found->front().is_null();
}

}  // namespace

void add_base_model(CLI::App& app, BaseModel& base) {
  add_optional_base_model(app, base,
                          "pipeline folder, single-file checkpoint, or the name of one (models.yaml, ORG/NAME)");
  app.get_option("--model")->required();
}

Checkpoint open_base_model(const BaseModel& base) {
  ModelLocation location = locate_model(base.model);
  if (base.variant) location.variant = *base.variant;
  if (base.model_config) location.model_config = *base.model_config;
  if (base.allow_pickle) location.allow_pickle = true;
  return Checkpoint::open(location);
}

void add_optional_base_model(CLI::App& app, BaseModel& base, const std::string& help) {
  app.add_option("--model", base.model, help)->type_name("DIR");
  existing_folder(app.add_option("--model-config", base.model_config, "configs and tokenizer, for a single file"));
  app.add_option("--variant", base.variant, "weight files of this variant, e.g. fp16")->type_name("NAME");
  app.add_flag("--allow-pickle", base.allow_pickle,
               "also read .bin, .pt and .ckpt (tensors only; nothing is executed)");
}

void check_base_model(const BaseModel& base) { (void)locate_model(base.model); }

void describe_base_model(Json& job, const BaseModel& base) {
  job["model"] = base.model;
  job["model_config"] = or_null(base.model_config);
  job["variant"] = or_null(base.variant);
  job["allow_pickle"] = base.allow_pickle;
}

double default_guidance(const BaseModel& base) {
  const fs::path path = locate_model(base.model).path;
  const fs::path index = path / "model_index.json";
  if (fs::is_regular_file(index)) return lists(read_json_file(index), "text_encoder_2") ? 5.0 : 7.5;
  return fs::is_regular_file(path) && open_base_model(base).family() == Family::sdxl ? 5.0 : 7.5;
}

std::string tokenizer_folder(const BaseModel& base, const std::string& name) {
  const fs::path path = locate_model(base.model).path;
  if (fs::is_directory(path / name)) return path / name;
  if (fs::exists(path / "vocab.json") || fs::exists(path / "tokenizer.json")) return path;
  if (fs::is_directory(path) && !fs::exists(path / "model_index.json")) {
    throw Error({.where = "--model",
                 .found = fmt::format("neither a folder '{}' nor a vocab.json in '{}'", name, path.string()),
                 .expected = "a pipeline folder, or a tokenizer's own folder"},
                ErrorKind::usage);
  }
  return open_base_model(base).tokenizer_folder(name);
}

}  // namespace atelier::cli
