#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "framework/core/json.h"
#include "framework/models/resampling.h"
#include "framework/models/resnet_block.h"

namespace atelier {

/// The architecture of an AutoencoderKL, from its config.json (formats.md 2 and 6).
struct VAEConfig {
  std::int64_t in_channels = 3, out_channels = 3;
  std::int64_t latent_channels = 4;
  std::vector<std::int64_t> channels;  ///< from the highest resolution down
  std::int64_t layers_per_block = 2;
  std::int64_t groups = 32;
  Activation activation = Activation::silu;
  double scaling_factor = 0.18215;
  bool force_upcast = true;
  bool quant_conv = true, post_quant_conv = true;
  bool mid_attention = true;

  /// Pixels per latent along one axis: 8 for Stable Diffusion.
  [[nodiscard]] std::int64_t downscale() const { return std::int64_t{1} << (channels.size() - 1); }
};

[[nodiscard]] VAEConfig parse_vae_config(const Json& config, const std::string& where);

/// The posterior of an encoded image: a diagonal Gaussian, before scaling.
struct Posterior {
  Tensor mean, std;  ///< [B, latent_channels, h, w]
};

class VAEEncoder;
class VAEDecoder;

/// AutoencoderKL (Rombach et al. 2022, section 3.1). All norms have eps 1e-6; the encoder pads right and bottom.
class VAE {
 public:
  VAE(const Json& config, Weights weights);
  ~VAE();
  VAE(const VAE&) = delete;
  VAE& operator=(const VAE&) = delete;

  /// pixels [B, 3, H, W] in [-1, 1], H and W at least downscale() -> posterior at 1/downscale(). The log variance is
  /// clamped to [-30, 20].
  [[nodiscard]] Posterior encode(const Tensor& pixels) const;
  /// latents [B, 4, h, w], scaled -> pixels [B, 3, H, W], not clamped.
  [[nodiscard]] Tensor decode(const Tensor& latents) const;

  [[nodiscard]] const VAEConfig& config() const { return config_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] Registry& registry() { return registry_; }

 private:
  VAEConfig config_;
  Placement placement_;
  std::string where_;
  Registry registry_;
  std::unique_ptr<VAEEncoder> encoder_;
  std::unique_ptr<VAEDecoder> decoder_;
  std::optional<Conv2d> quant_conv_, post_quant_conv_;
};

}  // namespace atelier
