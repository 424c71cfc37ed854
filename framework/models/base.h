#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/tensor/weights.h"

namespace atelier {

class Checkpoint;

/// A base model, read once and shared by every session: configs and tensors of its components, at one placement. The
/// tensors lie in the file's mapping where type and device already fit, and are never written to.
class Base {
 public:
  /// `unet` places the UNet and the text encoders, `vae` the autoencoder (SDXL's own overflows in half precision).
  Base(std::shared_ptr<const Checkpoint> checkpoint, Placement unet, Placement vae);
  /// Everything at one placement.
  Base(std::shared_ptr<const Checkpoint> checkpoint, Placement placement);
  ~Base();

  [[nodiscard]] bool has(const std::string& component) const;
  [[nodiscard]] const Json& config(const std::string& component) const;
  /// Placed on first use and kept until release(). Safe to call from several threads.
  [[nodiscard]] Weights weights(const std::string& component) const;
  /// Lets the tensors of a component go (those that sessions still hold stay alive).
  void release(const std::string& component) const;

  /// text_encoder, and for SDXL text_encoder_2.
  [[nodiscard]] std::vector<std::string> text_towers() const;
  [[nodiscard]] std::filesystem::path tokenizer_folder(std::size_t tower) const;
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] const Checkpoint& checkpoint() const { return *checkpoint_; }
  [[nodiscard]] bool is_sdxl() const { return has("text_encoder_2"); }

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
  Placement placement_, vae_placement_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, TensorMap> placed_;  // by component; guarded by mutex_
};

}  // namespace atelier
