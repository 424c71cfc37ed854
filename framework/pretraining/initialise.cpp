#include "framework/pretraining/initialise.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>

#include "framework/core/error.h"

namespace atelier {
namespace {

/// "a.b.weight" -> "a.b", "weight".
std::pair<std::string, std::string> split(const std::string& name) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos) return {"", name};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

std::string last_part(const std::string& layer) { return split(layer).second; }

bool is_norm(const std::string& layer) { return last_part(layer).find("norm") != std::string::npos; }

/// Inputs of one output, as PyTorch counts them (of a transposed convolution's kernel its second axis, too).
std::int64_t fan_in(at::IntArrayRef shape) {
  std::int64_t count = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) count *= shape[i];
  return count;
}

bool ends_residual_branch(const std::string& layer) {
  const std::string part = last_part(layer);
  return part == "conv2" || part == "proj_out" || layer == "conv_out";
}

double root(std::int64_t number) { return std::sqrt(static_cast<double>(number)); }

}  // namespace

Initialiser::Initialiser(InitScheme scheme, std::uint64_t seed, std::int64_t component, c10::Device device,
                         std::int64_t layers)
    : scheme_(scheme), draws_(seed, component, -1), device_(device), layers_(layers) {}

Tensor Initialiser::uniform(const std::string& name, at::IntArrayRef shape, double bound) const {
  return draws_.uniform(name, shape).mul_(2.0 * bound).sub_(bound);
}

Tensor Initialiser::normal(const std::string& name, at::IntArrayRef shape, double deviation) const {
  return draws_.normal(name, shape).mul_(deviation);
}

// CLIP's initialize_parameters(): both towers alike, although the published vision tower keeps PyTorch's defaults in
// its blocks; pixels and class embedding as there.
Tensor Initialiser::clip_value(const std::string& name, at::IntArrayRef shape) const {
  const auto [layer, leaf] = split(name);
  const std::string part = last_part(layer);
  if (leaf == "class_embedding") return normal(name, shape, 1.0 / root(shape[0]));
  if (leaf == "bias") return at::zeros(shape);
  if (part == "token_embedding") return normal(name, shape, 0.02);
  if (part == "position_embedding") {
    return normal(name, shape, name.starts_with("vision_model") ? 1.0 / root(shape[1]) : 0.01);
  }
  if (part == "patch_embedding") return uniform(name, shape, 1.0 / root(fan_in(shape)));
  const double depth = root(2 * layers_);
  if (part == "out_proj") return normal(name, shape, 1.0 / (root(shape[1]) * depth));
  if (part == "fc1") return normal(name, shape, 1.0 / root(2 * shape[1]));
  if (part == "fc2") return normal(name, shape, 1.0 / (root(shape[0]) * depth));
  return normal(name, shape, 1.0 / root(shape[1]));  // queries, keys, values and the projections
}

Tensor Initialiser::value(const std::string& name, at::IntArrayRef shape) {
  const auto [layer, leaf] = split(name);
  if (is_norm(layer)) return leaf == "bias" ? at::zeros(shape) : at::ones(shape);
  if (scheme_ == InitScheme::clip) return clip_value(name, shape);
  if (scheme_ == InitScheme::unet && ends_residual_branch(layer)) return at::zeros(shape);
  if (shape.size() > 1) {
    fan_in_[layer] = fan_in(shape);
    return uniform(name, shape, 1.0 / root(fan_in(shape)));
  }
  const auto weight = fan_in_.find(layer);
  if (weight == fan_in_.end()) {
    throw Error(
        {.where = name,
         .found = fmt::format("a vector of {} numbers without a matrix before it", shape.empty() ? 1 : shape[0]),
         .expected = "the bias of a layer, or a norm"});
  }
  return uniform(name, shape, 1.0 / root(weight->second));
}

Tensor Initialiser::make(const std::string& name, at::IntArrayRef shape) {
  const at::NoGradGuard no_grad;
  return value(name, shape).to(device_);
}

WeightMaker Initialiser::maker() {
  return [this](const std::string& name, at::IntArrayRef shape) { return make(name, shape); };
}

}  // namespace atelier
