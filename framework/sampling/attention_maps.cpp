#include "framework/sampling/attention_maps.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {

FeatureSize feature_size(FeatureSize latents, std::int64_t pixels) {
  FeatureSize size = latents;
  while (size.pixels() > pixels && size.pixels() > 1) size = size.halved();
  if (size.pixels() == pixels) return size;
  throw Error({.where = "attention map",
               .found = fmt::format("{} pixels", pixels),
               .expected = fmt::format("those of latents of {}x{}, halved some times", latents.height, latents.width)});
}

AttentionMaps::AttentionMaps(FeatureSize latents, std::vector<std::vector<Places>> words, std::int64_t first_row)
    : latents_(latents), words_(std::move(words)), first_row_(first_row) {}

Tensor AttentionMaps::chosen(const Tensor& like) {
  if (chosen_.defined()) return chosen_;
  const auto rows = static_cast<std::int64_t>(words_.size());
  const auto words = static_cast<std::int64_t>(words_.front().size());
  Tensor chosen = at::zeros({rows, like.size(-1), words}, at::TensorOptions().dtype(like.scalar_type()));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t word = 0; word < words; ++word) {
      for (const auto place : words_[static_cast<std::size_t>(row)][static_cast<std::size_t>(word)])
        chosen[row][place][word] = 1.0;
    }
  }
  return chosen_ = chosen.to(like.device());
}

void AttentionMaps::add(std::string_view, const Tensor& probabilities) {
  const auto rows = static_cast<std::int64_t>(words_.size());
  const Tensor mean = probabilities.narrow(0, first_row_, rows).mean(1);              // [rows, N, L]
  const Tensor shares = at::matmul(mean, chosen(mean)).transpose(1, 2).contiguous();  // [rows, words, N]
  Tensor& sum = sums_[shares.size(-1)];
  sum = sum.defined() ? sum + shares : shares;
  ++added_;
}

Tensor AttentionMaps::average() const {
  if (added_ == 0) {
    throw Error({.where = "attention maps", .found = "no cross-attention", .expected = "a UNet that reads the prompt"});
  }
  Tensor total;
  for (const auto& [pixels, sum] : sums_) {
    const auto size = feature_size(latents_, pixels);
    const Tensor maps = sum.view({sum.size(0), sum.size(1), size.height, size.width});
    const Tensor full = at::upsample_bilinear2d(maps, {latents_.height, latents_.width}, /*align_corners=*/false);
    total = total.defined() ? total + full : full;
  }
  return (total / static_cast<double>(added_)).to(at::kCPU, at::kFloat);
}

}  // namespace atelier
