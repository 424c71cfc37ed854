#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/files/tensor_view.h"

namespace atelier {

/// The file, or the index of several files, that holds a component's weights.
struct WeightFiles {
  std::filesystem::path path;                 ///< the weight file, or the *.index.json
  bool sharded = false;                       ///< `path` is an index
  bool pickle = false;                        ///< by its name; the content decides when it is read
  std::string variant;                        ///< of the file found: the one asked for, or "" for the plain one
  std::vector<std::filesystem::path> shards;  ///< of an index, sorted
};

/// Chooses among a folder's weight files. Order: safetensors of the variant (one file, then an index in its two
/// spellings), plain safetensors (likewise), and the same for .bin when pickles are allowed.
/// `base_name` is "diffusion_pytorch_model" for diffusers models and "model" for transformers models, whose pickles are
/// called pytorch_model. `variant` is "fp16", "non_ema", … or "".
/// Throws Error that lists what was tried and what the folder holds instead.
[[nodiscard]] WeightFiles find_weights(const std::filesystem::path& folder, const std::string& base_name,
                                       const std::string& variant = {}, bool allow_pickle = false);

/// Reads all shards of an index {"metadata": …, "weight_map": {TENSOR: FILE}} as one file. Shards lie in the index's
/// folder. Throws Error when a shard is missing or named outside the folder, when a tensor is not in the shard that the
/// index names, or when two shards hold the same tensor.
[[nodiscard]] TensorFile read_sharded(const std::filesystem::path& index, bool allow_pickle = false);

[[nodiscard]] TensorFile read_weights(const WeightFiles& files);
/// find_weights() and read in one step.
[[nodiscard]] TensorFile read_weights(const std::filesystem::path& folder, const std::string& base_name,
                                      const std::string& variant = {}, bool allow_pickle = false);

}  // namespace atelier
