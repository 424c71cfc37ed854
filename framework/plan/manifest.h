#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "framework/config/study.h"
#include "framework/plan/models.h"
#include "framework/plan/photos.h"
#include "framework/plan/plugins.h"
#include "framework/plan/prompt_catalog.h"

namespace atelier {

/// What planning looks things up in. Everything is borrowed.
struct PlanSources {
  DigestCache& digests;
  PhotoReader& photos;
  const PluginCatalog& plugins;
  const PromptCatalog& prompts;
  PlannedModels& models;
  std::filesystem::path folder;  ///< that relative paths of the study count from
  std::string device = "cpu";    ///< stands for "auto"
  std::int64_t threads = 1;      ///< stands for 0
};

/// The words a study can use, from installed plugins and the product's data. Borrows the catalogs.
[[nodiscard]] Known known_words(const PluginCatalog& plugins, const PromptCatalog& prompts);

/// Study -> runs -> jobs -> keys: everything that has to exist, with the key under which it will be, before anything
/// runs. One train job serves all checkpoints and all runs that share it, one sample job all prompts of a run, one
/// score job a run and an evaluation. Anchors are runs of the base model. Throws Error (usage) for concepts, models,
/// encoders and methods that cannot be used, with all faults of concepts at once.
[[nodiscard]] Json make_manifest(const Study& study, const PlanSources& sources);

/// Counts of a manifest against a store's keys (null: no store yet): {"runs", "jobs": {"total", "cached"}, "train":
/// {"jobs", "steps"}, "generate", "sample" and "given": {"jobs", "images"}, "mask": the same, "merge" and "score":
/// {"jobs"}}; steps and images are those still to be made.
class Store;
[[nodiscard]] Json plan_counts(const Json& manifest, const Store* store);

}  // namespace atelier
