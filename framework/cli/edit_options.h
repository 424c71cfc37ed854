#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier::cli {

/// The options of prompt-to-prompt editing.
struct EditOptions {
  std::vector<std::string> prompts, cross, factors, blend;
  std::string mode = "auto";
  std::string self = "0.4";
  double threshold = 0.3;
};

void add_edit_options(CLI::App& app, EditOptions& options);
/// For the worker; null when nothing is edited. Throws a usage Error for spans and words that cannot be read, and for
/// options of an edit without one.
[[nodiscard]] Json edit_json(const EditOptions& options);

}  // namespace atelier::cli
