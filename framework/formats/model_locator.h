#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace atelier {

/// Where base models are looked for.
struct ModelSearch {
  std::filesystem::path models_file;  ///< models.yaml; need not exist
  std::filesystem::path hub_root;     ///< the Hugging Face cache; need not exist

  /// $XDG_CONFIG_HOME/atelier/models.yaml (by default below ~/.config) and hub_cache_root().
  [[nodiscard]] static ModelSearch from_environment();
};

/// A base model on disk and how it is to be read.
struct ModelLocation {
  std::filesystem::path path;               ///< a pipeline folder or a single file
  std::string provenance;                   ///< how the name led there: for logs and records
  std::string variant = {};                 ///< "fp16"; empty: the plain files
  std::filesystem::path model_config = {};  ///< configs and tokenizer for a single file
  std::string prediction_type = {};         ///< overrides the scheduler's
  bool allow_pickle = false;
  bool use_ema = false;
};

/// What `base:` names: an existing path; else a name in models.yaml; else sd15, sd21-base or sdxl; else "org/name" or
/// "org/name@revision" in the Hugging Face cache. Never downloads and never guesses a snapshot.
///
/// models.yaml is one mapping: `name: path` or
/// `name: {path | repo, revision, variant, model_config, prediction_type, allow_pickle, use_ema}`; relative paths count
/// from the file's folder. Throws Error (usage) that says where was looked, or line and column in models.yaml.
[[nodiscard]] ModelLocation locate_model(const std::string& base,
                                         const ModelSearch& search = ModelSearch::from_environment());

/// One line of `doctor`: a name that can stand in `base:` and where it leads, or why it leads nowhere.
struct ListedModel {
  std::string name;
  ModelLocation location;
  std::string problem;
};

/// Names of models.yaml, the built-in names that the cache has, and every pipeline in the cache.
[[nodiscard]] std::vector<ListedModel> list_models(const ModelSearch& search = ModelSearch::from_environment());

}  // namespace atelier
