#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

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
/// The same for a text that stands for the file `file`; relative paths count from `folder`.
[[nodiscard]] Json plan_text(const std::string& text, const std::string& file, const std::filesystem::path& folder,
                             const std::vector<std::string>& overrides);

}  // namespace atelier::cli
