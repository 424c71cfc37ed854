#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "framework/core/json.h"
#include "framework/formats/checkpoint.h"

namespace atelier::cli {

/// `--model` and how its weights are read: the same options for every command that takes a base model.
struct BaseModel {
  std::string model;
  std::optional<std::string> model_config, variant;
  bool allow_pickle = false;
};
void add_base_model(CLI::App& app, BaseModel& base);
/// The same where a base model is not always needed.
void add_optional_base_model(CLI::App& app, BaseModel& base, const std::string& help);
/// Its files, opened.
[[nodiscard]] Checkpoint open_base_model(const BaseModel& base);

/// Throws a usage Error, which says where was looked, unless `--model` leads to a path: it may also be a name of
/// models.yaml or a repository of the Hugging Face cache.
void check_base_model(const BaseModel& base);

/// Sets `model`, `model_config`, `variant` and `allow_pickle` of a job.
void describe_base_model(Json& job, const BaseModel& base);

/// What the pipelines of the field take when nothing is said: 5 for SDXL, 7.5 for the others.
[[nodiscard]] double default_guidance(const BaseModel& base);

/// The folder with the tokenizer's files: `tokenizer` or `tokenizer_2` of the model, or the model's folder itself.
[[nodiscard]] std::string tokenizer_folder(const BaseModel& base, const std::string& name);

}  // namespace atelier::cli
