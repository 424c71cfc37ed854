#include "framework/sampling/guidance.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <algorithm>

#include "framework/sampling/weighted_sum.h"

namespace atelier {

std::vector<Branch> classifier_free_guidance(const TextCondition& unconditional, const TextCondition& conditional,
                                             double guidance_scale) {
  if (guidance_scale == 1.0) return {{.name = "cond", .text = conditional}};
  return {{.name = "uncond", .text = unconditional, .weight = 1.0 - guidance_scale},
          {.name = "cond", .text = conditional, .weight = guidance_scale}};
}

std::size_t conditional_branch(const std::vector<Branch>& branches) {
  const auto found = std::ranges::find(branches, "cond", &Branch::name);
  return found == branches.end() ? branches.size() - 1 : static_cast<std::size_t>(found - branches.begin());
}

GuidedModel::GuidedModel(const UNet& unet, std::vector<Branch> branches, Tensor time_ids, GuidedHooks hooks)
    : unet_(unet), branches_(std::move(branches)), time_ids_(std::move(time_ids)), hooks_(std::move(hooks)) {
  call_.observer = hooks_.observer;
  call_.observe_apart = true;
  call_.editor = hooks_.editor;
}

Tensor GuidedModel::finish_step(const Tensor& sample) const {
  return hooks_.after_step ? hooks_.after_step(sample) : sample;
}

void GuidedModel::stack(std::int64_t batch) {
  std::vector<Tensor> contexts, pooled, scales;
  for (const Branch& branch : branches_) {
    contexts.push_back(branch.text.context.expand({batch, -1, -1}));
    if (branch.text.pooled.defined()) pooled.push_back(branch.text.pooled.expand({batch, -1}));
    scales.push_back(at::full({batch}, branch.adapter_scale, contexts.back().options()));
  }
  const auto count = static_cast<std::int64_t>(branches_.size());
  input_.context = at::cat(contexts);
  if (!pooled.empty()) input_.text_embeds = at::cat(pooled);
  if (time_ids_.defined()) input_.time_ids = time_ids_.expand({batch, 6}).repeat({count, 1});
  const bool differ = std::ranges::any_of(branches_, [](const Branch& branch) { return branch.adapter_scale != 1.0; });
  call_.adapters.row_scale = differ ? at::cat(scales) : Tensor();
  batch_ = batch;
}

Tensor GuidedModel::predict(const Tensor& sample, double timestep) {
  if (sample.size(0) != batch_) stack(sample.size(0));
  const auto count = static_cast<std::int64_t>(branches_.size());
  input_.sample = count == 1 ? sample : sample.repeat({count, 1, 1, 1});
  input_.timesteps = at::full({input_.sample.size(0)}, timestep, sample.options().dtype(at::kFloat));
  const Tensor predictions = unet_.forward(input_, call_).to(sample.scalar_type());
  if (count == 1 && branches_.front().weight == 1.0) return predictions;
  std::vector<double> weights;
  for (const Branch& branch : branches_) weights.push_back(branch.weight);
  return weighted_sum(predictions, weights);
}

}  // namespace atelier
