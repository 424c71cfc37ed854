#pragma once

#include <optional>
#include <string>

#include "framework/models/activations.h"
#include "framework/models/linear.h"
#include "framework/models/norms.h"
#include "framework/models/text_attention.h"

namespace atelier {

/// What one call of an encoder block carries besides its input.
struct BlockCall {
  const AdapterCall* adapters = nullptr;    ///< may be null
  bool causal = false;                      ///< text: position i sees positions 0 … i
  const TextAttentionEdit* edit = nullptr;  ///< causal blocks only; may be null
};

/// x += λ1 · attention(norm1 x); x += λ2 · feed-forward(norm2 x): the pre-norm block that CLIP, SigLIP, ViT and DINOv2
/// share under different names.
class EncoderBlock {
 public:
  /// Names of the parts inside one layer of the checkpoint.
  struct Names {
    std::string norm1, norm2, query, key, value, out, fc1, fc2;
    std::string up = {};  ///< SwiGLU whose value has a matrix of its own: fc1 is the gate, this the value
  };
  static const Names& clip_names();  ///< layer_norm1, self_attn.q_proj, …: CLIP and SigLIP

  struct Options {
    std::int64_t width = 0;
    std::int64_t heads = 1;
    std::int64_t hidden = 0;  ///< of the feed-forward network
    double eps = 1e-5;
    Activation activation = Activation::gelu;
    bool swiglu = false;       ///< fc2(silu(gate) · value), `hidden` wide each; fc1 holds both unless `up` is named
    bool layer_scale = false;  ///< λ from layer_scale{1,2}.lambda1; else 1
    bool qkv_bias = true;
  };

  EncoderBlock(const Scope& scope, const Names& names, const Options& options);
  EncoderBlock(const EncoderBlock&) = delete;
  EncoderBlock& operator=(const EncoderBlock&) = delete;

  /// x [B, L, width] -> [B, L, width].
  [[nodiscard]] Tensor forward(const Tensor& x, const BlockCall& call = {}) const;

 private:
  [[nodiscard]] Tensor attend(const Tensor& x, const BlockCall& call) const;
  [[nodiscard]] Tensor feed_forward(const Tensor& x, const AdapterCall* call) const;

  Options options_;
  LayerNorm norm1_, norm2_;
  Linear query_, key_, value_, out_, fc1_, fc2_;
  std::optional<Linear> up_;
  Tensor scale1_, scale2_;  // [width]; undefined without layer scale
};

}  // namespace atelier
