#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "framework/core/json.h"
#include "framework/models/encoder_block.h"
#include "framework/tensor/weights.h"

namespace atelier {

struct ClipTextConfig {
  std::int64_t width = 768;
  std::int64_t layers = 12;
  std::int64_t heads = 12;
  std::int64_t hidden = 3072;
  std::int64_t vocabulary = 49408;
  std::int64_t positions = 77;
  std::int64_t eos_token = 49407;          ///< as the config says: 2 in most published encoders
  std::optional<std::int64_t> projection;  ///< width of text_projection, where the model has one
  double eps = 1e-5;
  Activation activation = Activation::quick_gelu;
};

/// The config of a CLIPTextModel, a CLIPTextModelWithProjection or the `text_config` of a CLIPModel. Whether there is a
/// projection is told by the class that the config names, else by the presence of text_projection.weight. Throws Error.
[[nodiscard]] ClipTextConfig parse_clip_text_config(const Json& config, const Weights& weights);

/// Where the pooled vector is read.
enum class Pooling {
  config,  ///< as the reference: at argmax(ids) when the config's eos_token_id is 2, so at a learned token where there
           ///< is one (its id is above the end token's); else at the first id equal to eos_token_id
  eos,     ///< at the first id equal to the true end token
};

/// What one call carries besides the ids.
struct TextCall {
  AdapterCall adapters;
  Tensor extra_tokens;                              ///< [n, D]: rows for the ids vocabulary … vocabulary + n − 1
  std::map<std::int64_t, TextAttentionEdit> edits;  ///< by layer, counted from 0
  std::optional<TextAttentionEdit> edit_all;        ///< for every layer that `edits` does not hold
  Pooling pooling = Pooling::config;
  std::int64_t eos_token = 49407;  ///< the true end token, for Pooling::eos
  bool hidden_states = false;      ///< keep the state after every layer
};

struct TextOutput {
  Tensor last_hidden_state;  ///< [B, L, D] after the final LayerNorm (SD 1.x, 2.x)
  Tensor penultimate;        ///< [B, L, D] before the last layer, without the final LayerNorm (SDXL)
  Tensor pooled;             ///< [B, D]; [B, P] projected where the model has a projection
  std::vector<Tensor>
      hidden_states;  ///< on request: [0] the embeddings, [i] after layer i, without the final LayerNorm
};

/// CLIPTextModel and CLIPTextModelWithProjection (Radford et al. 2021, arXiv:2103.00020): the text encoders of Stable
/// Diffusion. Causal, no padding mask. The checkpoint may have or lack the leading `text_model.`; the registry has it.
class ClipText {
 public:
  /// Throws Error for tensors that are missing, mis-shaped or unexpected.
  ClipText(const Json& config, Weights weights);
  /// As a part of a larger checkpoint: takes its own tensors and leaves check() to the caller.
  ClipText(const ClipTextConfig& config, Weights& weights);
  ClipText(const ClipText&) = delete;
  ClipText& operator=(const ClipText&) = delete;

  /// ids [B, L] int64, L at most 77. Throws Error for an id without a row.
  [[nodiscard]] TextOutput forward(const Tensor& ids, const TextCall& call = {}) const;
  /// The token rows of ids, [B, L, D], without positions; ids from `vocabulary` on take rows of `extra_tokens` [n, D].
  [[nodiscard]] Tensor embed_tokens(const Tensor& ids, const Tensor& extra_tokens = {}) const;
  /// forward() from token rows [B, L, D]; the pooled vector is read at `eos_positions` [B] int64.
  [[nodiscard]] TextOutput encode(const Tensor& token_rows, const Tensor& eos_positions,
                                  const TextCall& call = {}) const;
  /// [B] int64. Pooling::eos throws Error when a row lacks the end token.
  [[nodiscard]] Tensor eos_positions(const Tensor& ids, Pooling pooling, std::int64_t eos_token) const;
  /// The final LayerNorm, for states that are taken from earlier layers (clip skip).
  [[nodiscard]] Tensor final_norm(const Tensor& hidden_state) const { return final_norm_->forward(hidden_state); }

  [[nodiscard]] const ClipTextConfig& config() const { return config_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] Registry& registry() { return registry_; }

 private:
  [[nodiscard]] const TextAttentionEdit* edit_of(const TextCall& call, std::int64_t layer) const;
  void check(const TextCall& call) const;

  ClipTextConfig config_;
  Placement placement_;
  std::string where_;
  Registry registry_;
  Tensor token_table_, position_table_;  // [vocabulary, D], [positions, D]
  std::vector<std::unique_ptr<EncoderBlock>> blocks_;
  std::optional<LayerNorm> final_norm_;
  std::optional<Linear> projection_;
};

}  // namespace atelier
