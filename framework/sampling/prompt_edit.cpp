#include "framework/sampling/prompt_edit.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {
namespace {

bool is_cross(std::string_view layer) { return layer.ends_with("attn2"); }

/// [E, L] for broadcasting over heads and queries.
Tensor by_token(const std::vector<Tensor>& rows) { return at::stack(rows).unsqueeze(1).unsqueeze(1); }

std::int64_t step_of(double share, std::int64_t steps) {
  return static_cast<std::int64_t>(share * static_cast<double>(steps));
}

}  // namespace

Tensor step_window(StepSpan span, std::int64_t steps, std::int64_t length) {
  Tensor window = at::zeros({steps + 1, length});
  const auto begin = step_of(span.begin, steps + 1), end = step_of(span.end, steps + 1);
  if (end > begin) window.narrow(0, begin, end - begin).fill_(1.0);
  return window;
}

PromptEdit::PromptEdit(std::vector<EditedPrompt> edits, const Options& options)
    : options_(options), coarse_(options.latents.halved().halved()), edits_(static_cast<std::int64_t>(edits.size())) {
  std::vector<Tensor> mappings, known, scales, windows;
  for (const auto& edit : edits) {
    mappings.push_back(edit.alignment.mapping);
    known.push_back(edit.alignment.known);
    scales.push_back(edit.scale);
    windows.push_back(edit.window);
  }
  mapping_ = at::stack(mappings);
  known_ = by_token(known);
  scale_ = by_token(scales);
  window_ = at::stack(windows, 1).unsqueeze(2).unsqueeze(2);
  for (const Tensor& step : window_.unbind()) crosses_.push_back(step.any().item<bool>());
}

bool PromptEdit::in_self_span() const {
  return step_of(options_.self.begin, options_.steps) <= step_ && step_ < step_of(options_.self.end, options_.steps);
}

bool PromptEdit::wants(std::string_view layer, std::int64_t queries) const {
  if (!is_cross(layer)) return in_self_span() && is_coarse(queries);
  const bool shows = options_.blend.words.defined() && queries == coarse_.pixels();
  return shows || crosses_.at(static_cast<std::size_t>(step_));
}

void PromptEdit::move_to(const Tensor& like) {
  for (Tensor* tensor : {&mapping_, &known_, &scale_, &window_})
    *tensor = tensor->to(like.device(), like.scalar_type());
}

Tensor PromptEdit::edited_cross(const Tensor& source, const Tensor& own) const {
  const Tensor mapped = at::einsum("hpw,ewn->ehpn", {source, mapping_});
  const Tensor taken = (mapped * known_ + own * (1.0 - known_)) * scale_;
  const Tensor window = window_[step_];
  return taken * window + own * (1.0 - window);
}

Tensor PromptEdit::edit(std::string_view layer, const Tensor& probabilities) {
  move_to(probabilities);
  const auto rows = 1 + edits_;
  const Tensor conditional = probabilities.narrow(0, options_.first_row, rows);
  const Tensor source = conditional[0], own = conditional.narrow(0, 1, edits_);
  const Tensor edited = is_cross(layer) ? edited_cross(source, own) : source.unsqueeze(0).expand_as(own);
  const auto behind = options_.first_row + rows;
  const Tensor result = at::cat({probabilities.narrow(0, 0, options_.first_row + 1), edited,
                                 probabilities.narrow(0, behind, probabilities.size(0) - behind)});
  if (is_cross(layer)) keep(layer, result.narrow(0, options_.first_row, rows));
  return result;
}

/// The layers of the way down and up: 5 of them in Stable Diffusion.
void PromptEdit::keep(std::string_view layer, const Tensor& maps) {
  if (!options_.blend.words.defined() || maps.size(2) != coarse_.pixels() || layer.starts_with("mid_block")) return;
  const auto [place, fresh] = kept_.try_emplace(std::string(layer), maps);
  if (!fresh) place->second = place->second + maps;
}

/// [1 + E, 1, h, w] bool: where each prompt's words are looked at.
Tensor PromptEdit::mask(const Tensor& like) const {
  std::vector<Tensor> maps;
  for (const auto& [layer, sum] : kept_) maps.push_back(sum);
  if (maps.empty()) {
    throw Error({.where = "local blend",
                 .found = "no cross-attention at a quarter of the latents' size",
                 .expected = "a UNet that has some there"});
  }
  const Tensor all = at::cat(maps, 1);  // [1 + E, heads of all layers, N, L]
  const Tensor words = options_.blend.words.to(all.device(), all.scalar_type()).unsqueeze(1).unsqueeze(1);
  Tensor heat = (all * words).sum(-1).mean(1, /*keepdim=*/true).view({all.size(0), 1, coarse_.height, coarse_.width});
  heat = at::max_pool2d(heat, {3, 3}, {1, 1}, {1, 1});
  heat = at::upsample_nearest2d(heat, {like.size(2), like.size(3)});
  return heat / at::amax(heat, {2, 3}, true) > options_.blend.threshold;
}

Tensor PromptEdit::finish(const Tensor& latents) {
  ++step_;
  if (!options_.blend.words.defined()) return latents;
  const Tensor places = mask(latents);
  const Tensor source = latents.narrow(0, 0, 1), edited = latents.narrow(0, 1, edits_);
  const Tensor changed = (places.narrow(0, 0, 1) | places.narrow(0, 1, edits_)).to(latents.scalar_type());
  return at::cat({source, source + changed * (edited - source)});
}

}  // namespace atelier
