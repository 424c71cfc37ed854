#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "framework/models/attention.h"
#include "framework/models/vae.h"

namespace atelier {

/// Self-attention over the pixels of the lowest level, with biases everywhere and one head.
class VAEAttention {
 public:
  VAEAttention(const Scope& scope, const VAEConfig& config);

  [[nodiscard]] Tensor forward(const Tensor& x) const;

 private:
  GroupNorm norm_;
  Linear to_q_, to_k_, to_v_, to_out_;
};

/// resnet, attention, resnet at the lowest resolution.
class VAEMidBlock {
 public:
  VAEMidBlock(const Scope& scope, const VAEConfig& config);

  [[nodiscard]] Tensor forward(const Tensor& x) const;

 private:
  ResnetBlock first_;
  std::optional<VAEAttention> attention_;
  ResnetBlock last_;
};

class VAEEncoder {
 public:
  VAEEncoder(const Scope& scope, const VAEConfig& config);

  /// [B, 3, H, W] -> [B, 2·latent_channels, h, w].
  [[nodiscard]] Tensor forward(const Tensor& pixels) const;

 private:
  struct Level {
    std::vector<std::unique_ptr<ResnetBlock>> resnets;
    std::unique_ptr<Downsample> downsample;
  };

  Activation activation_;
  Conv2d conv_in_;
  std::vector<Level> levels_;
  std::unique_ptr<VAEMidBlock> mid_;
  GroupNorm norm_out_;
  Conv2d conv_out_;
};

class VAEDecoder {
 public:
  VAEDecoder(const Scope& scope, const VAEConfig& config);

  /// [B, latent_channels, h, w] -> [B, 3, H, W].
  [[nodiscard]] Tensor forward(const Tensor& latents) const;

 private:
  struct Level {
    std::vector<std::unique_ptr<ResnetBlock>> resnets;
    std::unique_ptr<Upsample> upsample;
  };

  Activation activation_;
  Conv2d conv_in_;
  std::unique_ptr<VAEMidBlock> mid_;
  std::vector<Level> levels_;
  GroupNorm norm_out_;
  Conv2d conv_out_;
};

}  // namespace atelier
