#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "framework/models/time_embedding.h"
#include "framework/models/unet_blocks.h"
#include "framework/models/unet_config.h"

namespace atelier {

/// The inputs of one UNet call.
struct UNetInput {
  Tensor sample;       ///< [B, in_channels, h, w]; h and w need not be multiples of 8
  Tensor timesteps;    ///< [B] int64 or float32 (may be fractional)
  Tensor context;      ///< [B, L, D] text encoder output
  Tensor text_embeds;  ///< SDXL: [B, P] pooled text
  Tensor time_ids;     ///< SDXL: [B, 6] float32: original h, w, crop top, left, target h, w
};

/// UNet2DConditionModel of SD 1.x, SD 2.x and SDXL (Rombach et al. 2022, arXiv:2112.10752; Podell et al. 2023,
/// arXiv:2307.01952). Parameter names equal the checkpoint's. float64/32, bfloat16 or float16; the time embedding's
/// sinusoids stay float32.
class UNet {
 public:
  /// Throws Error for another architecture and for tensors that are missing, mis-shaped or unexpected.
  UNet(const Json& config, Weights weights);
  UNet(const UNet&) = delete;
  UNet& operator=(const UNet&) = delete;

  /// -> noise prediction [B, out_channels, h, w]. Throws Error when an input has the wrong shape or SDXL's are missing.
  [[nodiscard]] Tensor forward(const UNetInput& input, const UNetCall& call = {}) const;

  [[nodiscard]] const UNetConfig& config() const { return config_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] Registry& registry() { return registry_; }

 private:
  void build_down(const Scope& root);
  void build_mid(const Scope& root);
  void build_up(const Scope& root);
  [[nodiscard]] UNetLayer layer(const Scope& block, std::size_t index, const ResnetBlock::Options& resnet,
                                const std::optional<Transformer2D::Options>& transformer) const;
  [[nodiscard]] ResnetBlock::Options resnet_options(std::int64_t in, std::int64_t out) const;
  [[nodiscard]] Transformer2D::Options transformer_options(const UNetConfig::Block& block, std::int64_t depth) const;
  void check(const UNetInput& input) const;
  [[nodiscard]] Tensor embed_time(const UNetInput& input, const AdapterCall* call) const;

  UNetConfig config_;
  Placement placement_;
  std::string where_;
  Registry registry_;
  std::optional<Conv2d> conv_in_, conv_out_;
  std::optional<EmbeddingMLP> time_embedding_, add_embedding_;
  std::vector<DownBlock> down_;
  MidBlock mid_;
  std::vector<UpBlock> up_;
  std::optional<GroupNorm> norm_out_;
};

}  // namespace atelier
