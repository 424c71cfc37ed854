#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "framework/models/attention.h"
#include "framework/models/conv2d.h"
#include "framework/models/linear.h"
#include "framework/models/norms.h"

namespace atelier {

/// What somebody needs to know of every cross-attention map, as a small tensor each. Unlike an observer it goes
/// together with activation checkpointing: the maps themselves are then formed again in the backward pass.
struct AttentionSummaries {
  /// Of one layer's name and probabilities [B, heads, pixels, tokens], float32 (float64); in the graph. May be called
  /// again later, so it must own what it uses and depend on nothing else.
  std::function<Tensor(std::string_view layer, const Tensor& probabilities)> summarise;
  std::vector<Tensor> layers;  ///< filled by the call, in the order in which the layers are computed
};

/// What one UNet call carries besides its inputs.
struct UNetCall {
  AdapterCall adapters;
  AttentionObserver observer;  ///< empty: cross-attention maps are never formed; transformers are never recomputed
  bool observe_apart = false;  ///< the observer changes no bit of the result, and pays for that with a second kernel
  AttentionEditor* editor = nullptr;        ///< of cross- and self-attention; borrowed, null: none
  AttentionSummaries* summaries = nullptr;  ///< borrowed for the call
  std::int64_t detached_text =
      0;                    ///< of so many leading text states keys and values give no gradient (cross-attention)
  bool checkpoint = false;  ///< drop activations in the forward pass, recompute them in the backward pass
};

/// Attention with its four projections; keys and values come from `context` (cross) or from the input (self).
class AttentionLayer {
 public:
  AttentionLayer(const Scope& scope, std::int64_t width, std::int64_t context_width, std::int64_t heads);

  /// x [B, N, width], context [B, L, context_width] -> [B, N, width]. `cross`: the context is the text.
  [[nodiscard]] Tensor forward(const Tensor& x, const Tensor& context, const UNetCall& call, bool cross) const;

 private:
  std::string name_;
  std::int64_t heads_;
  Linear to_q_, to_k_, to_v_, to_out_;
};

/// self-attention, cross-attention and a GEGLU feed-forward network, each pre-normed and residual.
class TransformerBlock {
 public:
  TransformerBlock(const Scope& scope, std::int64_t width, std::int64_t context_width, std::int64_t heads);

  [[nodiscard]] Tensor forward(const Tensor& x, const Tensor& context, const UNetCall& call) const;

 private:
  LayerNorm norm1_;
  AttentionLayer attn1_;
  LayerNorm norm2_;
  AttentionLayer attn2_;
  LayerNorm norm3_;
  Linear ff_in_, ff_out_;
};

/// Transformer over the pixels of a feature map (Rombach et al. 2022, section 3.3); norm eps 1e-6 whatever the UNet's.
class Transformer2D {
 public:
  struct Options {
    std::int64_t channels = 0;
    std::int64_t context_width = 0;
    std::int64_t heads = 8;
    std::int64_t depth = 1;
    std::int64_t groups = 32;
    bool linear_projection = false;  ///< proj_in/out as linear layers instead of 1×1 convolutions
  };

  Transformer2D(const Scope& scope, const Options& options);

  /// x [B, C, H, W], context [B, L, D] -> [B, C, H, W].
  [[nodiscard]] Tensor forward(const Tensor& x, const Tensor& context, const UNetCall& call) const;

 private:
  Options options_;
  GroupNorm norm_;
  std::optional<Linear> linear_in_, linear_out_;
  std::optional<Conv2d> conv_in_, conv_out_;
  std::vector<std::unique_ptr<TransformerBlock>> blocks_;
};

}  // namespace atelier
