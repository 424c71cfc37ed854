#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "framework/formats/model_locator.h"

namespace atelier {

/// An entry of models.yaml: `location.path` where it has a path, else a repository of the Hugging Face cache.
struct ModelEntry {
  ModelLocation location;
  std::string repo;
  std::string revision = "main";
};

/// Reads models.yaml strictly; see locate_model(). A file that is not there is an empty mapping.
/// Throws Error (usage) with file, line and column for unknown keys (naming the nearest known one), keys that come
/// twice, values of another type, and entries with both or neither of path and repo.
[[nodiscard]] std::map<std::string, ModelEntry> read_models_file(const std::filesystem::path& path);

}  // namespace atelier
