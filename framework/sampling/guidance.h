#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/models/session.h"
#include "framework/models/unet.h"

namespace atelier {

/// One evaluation of the UNet inside a guided step: what it is conditioned on, and the weight of its prediction.
struct Branch {
  std::string name;
  TextCondition text;  ///< [B, 77, D] (and [B, P])
  double weight = 1.0;
  double adapter_scale = 1.0;  ///< 0: the base model, adapters off
};

/// Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598): u + g (c - u) as {u: 1 - g, c: g}. With g = 1 the
/// unconditional branch has no weight and is left out.
[[nodiscard]] std::vector<Branch> classifier_free_guidance(const TextCondition& unconditional,
                                                           const TextCondition& conditional, double guidance_scale);

/// The place of the conditional branch: the one named "cond", else the last.
[[nodiscard]] std::size_t conditional_branch(const std::vector<Branch>& branches);

/// What looks into the guided steps of a picture or changes them. Rows of attention maps lie branch by branch.
struct GuidedHooks {
  AttentionObserver observer = {};    ///< sees the cross-attention of each call; changes no bit of the pictures
  AttentionEditor* editor = nullptr;  ///< borrowed; null: none
  std::function<Tensor(const Tensor&)> after_step = {};  ///< [B, 4, h, w] after a step -> what goes on; empty: the same
};

/// The weighted sum of a set of branches, all of them in one UNet call.
class GuidedModel {
 public:
  /// `time_ids` [1 or B, 6] for SDXL, undefined otherwise. Borrows the UNet.
  GuidedModel(const UNet& unet, std::vector<Branch> branches, Tensor time_ids = {}, GuidedHooks hooks = {});

  /// sample [B, 4, h, w], already scaled for the model -> noise prediction [B, 4, h, w] in `sample`'s dtype.
  [[nodiscard]] Tensor predict(const Tensor& sample, double timestep);
  /// GuidedHooks::after_step.
  [[nodiscard]] Tensor finish_step(const Tensor& sample) const;

 private:
  void stack(std::int64_t batch);

  const UNet& unet_;
  std::vector<Branch> branches_;
  Tensor time_ids_;
  GuidedHooks hooks_;
  std::int64_t batch_ = 0;
  UNetInput input_;  // the conditions of all branches, stacked branch by branch
  UNetCall call_;
};

}  // namespace atelier
