#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/models/encoder_block.h"
#include "framework/tensor/weights.h"

namespace atelier {

/// SigLIP's text tower (Zhai et al. 2023, arXiv:2303.15343): no causal mask and no padding mask; the text is what
/// stands at the last of `positions` places, so that rows are always padded to them.
class SiglipText {
 public:
  struct Config {
    std::int64_t vocabulary = 32000;
    std::int64_t positions = 64;
    std::int64_t layers = 12;
    std::int64_t projection = 768;
    EncoderBlock::Options block;
  };

  /// `config` is the `text_config` of a SiglipModel. Takes its own tensors and leaves check() to the caller. Throws
  /// Error.
  SiglipText(const Json& config, Weights& weights);

  /// ids [B, positions] -> [B, projection], not normalised. Throws Error for another length and for an id without a
  /// row.
  [[nodiscard]] Tensor forward(const Tensor& ids) const;
  [[nodiscard]] const Config& config() const { return config_; }

 private:
  Config config_;
  Placement placement_;
  std::string where_;
  Registry registry_;
  Tensor tokens_, positions_;  // [vocabulary, D], [positions, D]
  std::vector<std::unique_ptr<EncoderBlock>> blocks_;
  std::optional<LayerNorm> norm_;
  std::optional<Linear> head_;
};

}  // namespace atelier
