#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"

namespace atelier {

/// How weights are chosen among the files of a component; formats.md 3.
struct WeightChoice {
  std::string variant = {};  ///< "fp16"; empty: the plain files. The plain files serve where the variant is missing
  bool allow_pickle = false;
};

/// One model's folder: config.json and weights. Inside a pipeline, or on its own as vision encoders come.
class ComponentFolder {
 public:
  /// Throws Error when there is no config.json.
  [[nodiscard]] static ComponentFolder open(const std::filesystem::path& folder);

  [[nodiscard]] const Json& config() const noexcept { return *config_; }  ///< as the file has it
  /// Of all shards, under present-day names: a VAE's old attention names are translated and its 1×1 convolutions there
  /// become matrices; position_ids and logit_scale are left out.
  [[nodiscard]] TensorFile weights(const WeightChoice& choice = {}) const;
  /// The files that weights() reads, sorted; an index with its shards.
  [[nodiscard]] std::vector<std::filesystem::path> weight_files(const WeightChoice& choice = {}) const;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  std::shared_ptr<const Json> config_;
};

/// As TensorFile comes from disk, under the names that models use today.
[[nodiscard]] TensorFile with_present_names(TensorFile file, const Json& config);

}  // namespace atelier
