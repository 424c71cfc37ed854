#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "framework/config/yaml.h"
#include "framework/core/json.h"

namespace atelier::cli {

/// What `run` and `plan` are told about a study.
struct StudyOptions {
  std::string file;
  std::vector<std::string> overrides;
  std::string store;
};
void add_study(CLI::App& app, StudyOptions& options);

/// Reads, checks and plans a study file: its manifest. Throws Error (usage) with every fault.
[[nodiscard]] Json plan_study(const StudyOptions& options);
/// The same for a study that a command makes from its options, which the nodes name as their places. Relative paths
/// count from `folder`.
[[nodiscard]] Json plan_tree(const YamlNode& root, const std::string& name, const std::filesystem::path& folder);

}  // namespace atelier::cli
