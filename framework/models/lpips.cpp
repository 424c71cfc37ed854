#include "framework/models/lpips.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <array>

#include "framework/core/error.h"

namespace atelier {
namespace {

constexpr double kLengthEps = 1e-10;

/// One convolution of a trunk: its index in torchvision's `features`, its channels, kernel, stride and padding.
struct TrunkLayer {
  int index;
  std::int64_t out, kernel, stride, padding;
  std::int64_t pool;  // window of the maximum before it; 0: none
  bool read;
};

constexpr std::array<TrunkLayer, 5> kAlexNet{{{0, 64, 11, 4, 2, 0, true},
                                              {3, 192, 5, 1, 2, 3, true},
                                              {6, 384, 3, 1, 1, 3, true},
                                              {8, 256, 3, 1, 1, 0, true},
                                              {10, 256, 3, 1, 1, 0, true}}};
constexpr std::array<TrunkLayer, 13> kVgg16{{{0, 64, 3, 1, 1, 0, false},
                                             {2, 64, 3, 1, 1, 0, true},
                                             {5, 128, 3, 1, 1, 2, false},
                                             {7, 128, 3, 1, 1, 0, true},
                                             {10, 256, 3, 1, 1, 2, false},
                                             {12, 256, 3, 1, 1, 0, false},
                                             {14, 256, 3, 1, 1, 0, true},
                                             {17, 512, 3, 1, 1, 2, false},
                                             {19, 512, 3, 1, 1, 0, false},
                                             {21, 512, 3, 1, 1, 0, true},
                                             {24, 512, 3, 1, 1, 2, false},
                                             {26, 512, 3, 1, 1, 0, false},
                                             {28, 512, 3, 1, 1, 0, true}}};

std::span<const TrunkLayer> trunk_of(const Weights& weights) {
  const auto first = weights.shape("features.0.weight");
  if (first.size() == 4 && first[2] == 11) return kAlexNet;
  if (first.size() == 4 && first[2] == 3) return kVgg16;
  throw Error({.where = weights.where(),
               .found = first.empty() ? "no features.0.weight" : "another first convolution",
               .expected = "the trunk of torchvision's AlexNet (11 x 11) or VGG16 (3 x 3)",
               .advice = "put the trunk's weights and LPIPS's own into one folder"});
}

}  // namespace

Lpips::Lpips(Weights weights) : placement_(weights.placement()), where_(weights.where()) {
  build(Scope(weights, registry_));
  weights.check();
  for (std::size_t i = 0; i < scales_.size(); ++i) {
    if (scales_[i].min().item<double>() >= 0) continue;
    throw Error({.where = fmt::format("{}: lin{}.model.1.weight", where_, i),
                 .found = "a negative weight",
                 .expected = "weights of LPIPS, none of which is"});
  }
}

void Lpips::build(const Scope& root) {
  std::int64_t channels = 3;
  for (const TrunkLayer& shape : trunk_of(root.weights())) {
    Layer layer{.stride = shape.stride,
                .padding = shape.padding,
                .pooled_before = shape.pool > 0,
                .pool = shape.pool,
                .read = shape.read,
                .kernel = {},
                .bias = {}};
    const Scope place = root / "features" / static_cast<std::size_t>(shape.index);
    place.parameter(layer.kernel, "weight", {shape.out, channels, shape.kernel, shape.kernel});
    place.parameter(layer.bias, "bias", {shape.out});
    channels = shape.out;
    layers_.push_back(std::move(layer));
    if (!shape.read) continue;
    const Scope weight = root / fmt::format("lin{}.model.1", scales_.size());
    weight.parameter(scales_.emplace_back(), "weight", {1, channels, 1, 1});
  }
}

std::vector<Tensor> Lpips::maps(const Tensor& pixel_values) const {
  if (pixel_values.dim() != 4 || pixel_values.size(1) != 3 || pixel_values.size(2) < 64 || pixel_values.size(3) < 64) {
    throw Error({.where = where_ + ": pixel_values",
                 .found = describe(pixel_values.sizes(), pixel_values.scalar_type()),
                 .expected = "[B, 3, H, W] in [-1, 1] with H and W at least 64"});
  }
  const auto options = at::TensorOptions().dtype(placement_.dtype).device(placement_.device);
  const Tensor shift = at::tensor({-.030, -.088, -.188}, at::kDouble).to(options).view({1, 3, 1, 1});
  const Tensor scale = at::tensor({.458, .448, .450}, at::kDouble).to(options).view({1, 3, 1, 1});
  Tensor x = (pixel_values.to(placement_.device, placement_.dtype) - shift) / scale;
  std::vector<Tensor> read;
  for (const Layer& layer : layers_) {
    if (layer.pooled_before) x = at::max_pool2d(x, layer.pool, 2);
    x = at::conv2d(x, layer.kernel, layer.bias, layer.stride, layer.padding).relu();
    if (layer.read) read.push_back(x / (x.square().sum(1, true).sqrt() + kLengthEps));
  }
  return read;
}

Tensor Lpips::features(const Tensor& pixel_values) const {
  std::vector<Tensor> parts;
  const auto read = maps(pixel_values);
  for (std::size_t i = 0; i < read.size(); ++i) {
    const double places = static_cast<double>(read[i].size(2) * read[i].size(3));
    parts.push_back((read[i] * (scales_[i] / places).sqrt()).flatten(1));
  }
  return at::cat(parts, 1);
}

Tensor Lpips::distance(const Tensor& a, const Tensor& b) const {
  const auto first = maps(a), second = maps(b);
  Tensor sum;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const Tensor layer = ((first[i] - second[i]).square() * scales_[i]).sum(1).mean({1, 2});  // [B]
    sum = sum.defined() ? sum + layer : layer;
  }
  return sum;
}

}  // namespace atelier
