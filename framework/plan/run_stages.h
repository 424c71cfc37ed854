#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier {

/// One thing that a run needs, by its place in the run.
struct RunStage {
  std::string key;
  Json description;
  std::int64_t job = 0;
};

/// A run's stages by place: "train ut step 140", "sample ti/edit/0", "score ti_code"; equal places of two runs can be
/// compared. The manifest may be of any version.
[[nodiscard]] std::map<std::string, RunStage> run_stages(const Json& manifest, const std::string& run);

/// "train ut step 140, score ti_code, sample (37)": places in a line, those of pictures counted.
[[nodiscard]] std::string places_text(const std::vector<std::string>& places);

/// The run of that id. Throws Error (usage) when the manifest has none.
[[nodiscard]] const Json& manifest_run(const Json& manifest, const std::string& run);

/// A key that is in the store, and its description.
struct StoredKey {
  std::string key;
  Json description;
};
/// Of what is in the store the thing that is most like `description`: first of those that some study planned for the
/// same cell (the method's label, concept and seed of `run`), else of all of its kind. Nothing when there is none of
/// its kind.
[[nodiscard]] std::optional<StoredKey> nearest_stored(Index& index, const Json& description, const Json& run);

}  // namespace atelier
