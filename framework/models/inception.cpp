#include "framework/models/inception.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {
namespace {

using Branches = std::vector<InceptionBranch>;
using Pooling = InceptionBranch::Pooling;

constexpr double kNormEps = 1e-3;
constexpr std::int64_t kSmallest = 75;   // below, the last maps are empty
constexpr std::int64_t kClasses = 1008;  // of the network of 2015; ImageNet's usual count is 1000

// Mixed_5b, 5c, 5d.
Branches block_a(std::int64_t pooled) {
  return {{.chain = {{"branch1x1", 64}}},
          {.chain = {{"branch5x5_1", 48}, {"branch5x5_2", 64, 5, 5}}},
          {.chain = {{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, 3, 3}, {"branch3x3dbl_3", 96, 3, 3}}},
          {.pooling = Pooling::mean, .chain = {{"branch_pool", pooled}}}};
}

// Mixed_6a.
Branches block_b() {
  return {{.chain = {{"branch3x3", 384, 3, 3, 2, false}}},
          {.chain = {{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, 3, 3}, {"branch3x3dbl_3", 96, 3, 3, 2, false}}},
          {.pooling = Pooling::reducing}};
}

// Mixed_6b to 6e.
Branches block_c(std::int64_t inner) {
  return {{.chain = {{"branch1x1", 192}}},
          {.chain = {{"branch7x7_1", inner}, {"branch7x7_2", inner, 1, 7}, {"branch7x7_3", 192, 7, 1}}},
          {.chain = {{"branch7x7dbl_1", inner},
                     {"branch7x7dbl_2", inner, 7, 1},
                     {"branch7x7dbl_3", inner, 1, 7},
                     {"branch7x7dbl_4", inner, 7, 1},
                     {"branch7x7dbl_5", 192, 1, 7}}},
          {.pooling = Pooling::mean, .chain = {{"branch_pool", 192}}}};
}

// Mixed_7a.
Branches block_d() {
  return {{.chain = {{"branch3x3_1", 192}, {"branch3x3_2", 320, 3, 3, 2, false}}},
          {.chain = {{"branch7x7x3_1", 192},
                     {"branch7x7x3_2", 192, 1, 7},
                     {"branch7x7x3_3", 192, 7, 1},
                     {"branch7x7x3_4", 192, 3, 3, 2, false}}},
          {.pooling = Pooling::reducing}};
}

// Mixed_7b and 7c.
Branches block_e(Pooling pooling) {
  return {{.chain = {{"branch1x1", 320}}},
          {.chain = {{"branch3x3_1", 384}}, .ends = {{"branch3x3_2a", 384, 1, 3}, {"branch3x3_2b", 384, 3, 1}}},
          {.chain = {{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, 3, 3}},
           .ends = {{"branch3x3dbl_3a", 384, 1, 3}, {"branch3x3dbl_3b", 384, 3, 1}}},
          {.pooling = pooling, .chain = {{"branch_pool", 192}}}};
}

Tensor pooled(const Tensor& x, Pooling pooling) {
  switch (pooling) {
    case Pooling::none:
      break;
    case Pooling::mean:
      return at::avg_pool2d(x, 3, 1, 1, false, /*count_include_pad=*/false);
    case Pooling::maximum:
      return at::max_pool2d(x, 3, 1, 1);
    case Pooling::reducing:
      return at::max_pool2d(x, 3, 2);
  }
  return x;
}

}  // namespace

NormedConvolution::NormedConvolution(const Scope& scope, std::int64_t in, const Shape& shape)
    : stride_(shape.stride),
      padding_{shape.padded ? (shape.rows - 1) / 2 : 0, shape.padded ? (shape.columns - 1) / 2 : 0} {
  const Scope place = scope / shape.name;
  (place / "conv").parameter(kernel_, "weight", {shape.out, in, shape.rows, shape.columns});
  const Scope norm = place / "bn";
  norm.parameter(gain_, "weight", {shape.out});
  norm.parameter(shift_, "bias", {shape.out});
  norm.parameter(mean_, "running_mean", {shape.out});
  norm.parameter(variance_, "running_var", {shape.out});
  scope.weights().ignore(norm.name() + ".num_batches_tracked");
}

Tensor NormedConvolution::forward(const Tensor& x) const {
  const Tensor y = at::conv2d(x, kernel_, {}, stride_, padding_);
  return at::batch_norm(y, gain_, shift_, mean_, variance_, false, 0.0, kNormEps, false).relu_();
}

Tensor InceptionV3::Branch::forward(const Tensor& x) const {
  Tensor y = pooled(x, pooling);
  for (const auto& convolution : chain) y = convolution->forward(y);
  if (ends.empty()) return y;
  std::vector<Tensor> sides;
  for (const auto& convolution : ends) sides.push_back(convolution->forward(y));
  return at::cat(sides, 1);
}

std::int64_t InceptionV3::add(const Scope& scope, std::int64_t in, const Branches& branches) {
  Mixed& block = mixed_.emplace_back();
  std::int64_t out = 0;
  for (const auto& branch : branches) {
    Branch built{.pooling = branch.pooling, .chain = {}, .ends = {}};
    std::int64_t channels = in;
    for (const auto& shape : branch.chain) {
      built.chain.push_back(std::make_unique<NormedConvolution>(scope, channels, shape));
      channels = shape.out;
    }
    for (const auto& shape : branch.ends) {
      built.ends.push_back(std::make_unique<NormedConvolution>(scope, channels, shape));
      out += shape.out;
    }
    if (branch.ends.empty()) out += channels;
    block.push_back(std::move(built));
  }
  return out;
}

InceptionV3::InceptionV3(Weights weights) : placement_(weights.placement()), where_(weights.where()) {
  const auto classes = weights.shape("fc.weight");
  if (!classes.empty() && classes[0] != kClasses) {
    throw Error({.where = where_ + ": fc.weight",
                 .found = fmt::format("{} classes", classes[0]),
                 .expected = fmt::format("{}, as the network of 2015-12-05 has", kClasses),
                 .advice = "FID and KID are not defined on torchvision's ImageNet weights; take "
                           "pt_inception-2015-12-05-6726825d.pth"});
  }
  const Scope root(weights, registry_);
  std::int64_t channels = 3;
  for (const NormedConvolution::Shape& shape : {NormedConvolution::Shape{"Conv2d_1a_3x3", 32, 3, 3, 2, false},
                                                {"Conv2d_2a_3x3", 32, 3, 3, 1, false},
                                                {"Conv2d_2b_3x3", 64, 3, 3},
                                                {"Conv2d_3b_1x1", 80},
                                                {"Conv2d_4a_3x3", 192, 3, 3, 1, false}}) {
    stem_.push_back(std::make_unique<NormedConvolution>(root, channels, shape));
    channels = shape.out;
  }
  for (const auto& [name, branches] :
       std::vector<std::pair<const char*, Branches>>{{"Mixed_5b", block_a(32)},
                                                     {"Mixed_5c", block_a(64)},
                                                     {"Mixed_5d", block_a(64)},
                                                     {"Mixed_6a", block_b()},
                                                     {"Mixed_6b", block_c(128)},
                                                     {"Mixed_6c", block_c(160)},
                                                     {"Mixed_6d", block_c(160)},
                                                     {"Mixed_6e", block_c(192)},
                                                     {"Mixed_7a", block_d()},
                                                     {"Mixed_7b", block_e(Pooling::mean)},
                                                     {"Mixed_7c", block_e(Pooling::maximum)}}) {
    channels = add(root / name, channels, branches);
  }
  weights.ignore("fc.weight");
  weights.ignore("fc.bias");
  weights.check();
}

Tensor InceptionV3::features(const Tensor& pixel_values) const {
  const bool fits = pixel_values.dim() == 4 && pixel_values.size(1) == 3 && pixel_values.size(2) >= kSmallest &&
                    pixel_values.size(3) >= kSmallest;
  if (!fits) {
    throw Error({.where = where_ + ": pixel_values",
                 .found = describe(pixel_values.sizes(), pixel_values.scalar_type()),
                 .expected = fmt::format("[B, 3, H, W] with H and W at least {}", kSmallest)});
  }
  Tensor x = pixel_values.to(placement_.device, placement_.dtype);
  for (std::size_t i = 0; i < stem_.size(); ++i) {
    x = stem_[i]->forward(x);
    if (i == 2 || i == 4) x = pooled(x, Pooling::reducing);
  }
  for (const Mixed& block : mixed_) {
    std::vector<Tensor> parts;
    for (const Branch& branch : block) parts.push_back(branch.forward(x));
    x = at::cat(parts, 1);
  }
  return x.mean({2, 3});
}

}  // namespace atelier
