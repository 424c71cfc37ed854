#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "framework/models/attention.h"
#include "framework/sampling/feature_size.h"
#include "framework/sampling/prompt_alignment.h"

namespace atelier {

/// Shares of the steps: from `begin` up to `end`, both from 0 to 1.
struct StepSpan {
  double begin = 0.0, end = 1.0;
};

/// What one edited prompt changes, token by token.
struct EditedPrompt {
  PromptAlignment alignment;
  Tensor scale;   ///< [L] float32: factor on the attention to each token (re-weighting); 1: none
  Tensor window;  ///< [steps + 1, L] float32: 1 at the steps at which a token takes the source's attention
};

/// 1 at the steps of the span, 0 at the others, for every token: [steps + 1, length].
[[nodiscard]] Tensor step_window(StepSpan span, std::int64_t steps, std::int64_t length);

/// Keeps the edit local: outside of the places where either prompt's words are looked at, the source's latents stand.
struct LocalBlend {
  Tensor words;            ///< [1 + edits, L] float32: 1 at the tokens of the words; undefined: no blend
  double threshold = 0.3;  ///< of a map whose largest value is 1
};

/// Prompt-to-prompt editing (Hertz et al. 2022, arXiv:2208.01626) with the rules of the authors' program for Stable
/// Diffusion. A batch has one row for the source prompt and one for each edited prompt, all from the same noise; in the
/// conditional branch the edited rows take the source's cross-attention where `edits` says so, and its self-attention
/// in coarse layers during `self`. Coarse is a quarter of the latents' height and width: 16 × 16 for 512 × 512 pixels.
///
/// After each step finish() must be called, once; its result goes on.
class PromptEdit final : public AttentionEditor {
 public:
  struct Options {
    FeatureSize latents;
    std::int64_t steps = 0;      ///< UNet calls
    std::int64_t first_row = 0;  ///< where the conditional branch's rows begin among those of a guided step
    StepSpan self{0.0, 0.4};
    LocalBlend blend = {};
  };

  PromptEdit(std::vector<EditedPrompt> edits, const Options& options);

  [[nodiscard]] bool wants(std::string_view layer, std::int64_t queries) const override;
  [[nodiscard]] Tensor edit(std::string_view layer, const Tensor& probabilities) override;
  /// latents [1 + edits, 4, h, w] after a step -> those of the next.
  [[nodiscard]] Tensor finish(const Tensor& latents);

 private:
  [[nodiscard]] bool in_self_span() const;
  [[nodiscard]] bool is_coarse(std::int64_t queries) const { return queries <= coarse_.pixels(); }
  [[nodiscard]] Tensor edited_cross(const Tensor& source, const Tensor& own) const;
  void move_to(const Tensor& like);
  void keep(std::string_view layer, const Tensor& maps);
  [[nodiscard]] Tensor mask(const Tensor& like) const;

  Options options_;
  FeatureSize coarse_;
  std::int64_t edits_;
  Tensor mapping_, known_, scale_, window_;  // [E, L, L], [E, 1, 1, L], [E, 1, 1, L], [steps + 1, E, 1, 1, L]
  std::vector<bool> crosses_;                // by step: whether any token takes the source's attention
  std::int64_t step_ = 0;
  std::map<std::string, Tensor, std::less<>> kept_;  // by coarse layer, sums over the steps: [1 + E, heads, N, L]
};

}  // namespace atelier
