#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"
#include "framework/formats/known_configs.h"

namespace atelier {

struct ModelLocation;

struct CheckpointOptions {
  std::string variant = {};                 ///< "fp16": files of a pipeline folder that are chosen first
  bool allow_pickle = false;                ///< read .bin and .ckpt where there is no safetensors file
  std::filesystem::path model_config = {};  ///< folder in the pipeline layout: configs and tokenizer for a single file
  bool use_ema = false;                     ///< a single file's averaged UNet
  std::string prediction_type = {};         ///< "epsilon" or "v_prediction"; empty: what the files say
};

/// A base model on disk, whatever its layout: a pipeline folder or a single-file checkpoint. All names of components
/// and tensors are those of diffusers and transformers. Immutable; weights are mapped when asked for and not copied.
class Checkpoint {
 public:
  /// Throws Error that names file and key. A single file whose sizes are not the published ones of SD 1.x, SD 2.x or
  /// SDXL needs `model_config`.
  [[nodiscard]] static Checkpoint open(const std::filesystem::path& path, const CheckpointOptions& options = {});
  /// The options that models.yaml gave.
  [[nodiscard]] static Checkpoint open(const ModelLocation& location);

  /// "unet", "vae", "text_encoder", "text_encoder_2", and whatever else model_index.json lists.
  [[nodiscard]] bool has(const std::string& component) const;
  /// config.json with the class's defaults for absent keys; keys that begin with '_' are not parameters.
  [[nodiscard]] const Json& config(const std::string& component) const;
  /// File (or folder) and component, for errors and records.
  [[nodiscard]] std::string where(const std::string& component) const;
  [[nodiscard]] TensorFile weights(const std::string& component) const;
  /// "tokenizer" or "tokenizer_2".
  [[nodiscard]] std::filesystem::path tokenizer_folder(const std::string& name) const;
  [[nodiscard]] const Json& scheduler_config() const;
  [[nodiscard]] const Json& model_index() const;
  /// By the text towers and the width of cross-attention.
  [[nodiscard]] Family family() const;
  [[nodiscard]] const std::filesystem::path& path() const;
  /// The files that hold weights, sorted: what identifies the model's content.
  [[nodiscard]] std::vector<std::filesystem::path> weight_files() const;

 private:
  struct Parts;
  explicit Checkpoint(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  [[nodiscard]] static Parts open_folder(const std::filesystem::path& path, const CheckpointOptions& options);
  [[nodiscard]] static Parts open_file(const std::filesystem::path& path, const CheckpointOptions& options);

  std::shared_ptr<const Parts> parts_;
};

}  // namespace atelier
