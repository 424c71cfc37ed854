#include "framework/models/time_embedding.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/sin.h>

#include <cmath>

namespace atelier {

Tensor sinusoidal_embedding(const Tensor& timesteps, std::int64_t width, bool cosine_first, double shift) {
  const std::int64_t half = width / 2;
  const auto options = timesteps.options().dtype(at::kFloat);
  const Tensor exponent = -std::log(10000.0) * at::arange(half, options) / (static_cast<double>(half) - shift);
  const Tensor angles = timesteps.to(at::kFloat).unsqueeze(-1) * at::exp(exponent).unsqueeze(0);  // [B, half]
  const Tensor sine = at::sin(angles), cosine = at::cos(angles);
  const Tensor embedding = cosine_first ? at::cat({cosine, sine}, -1) : at::cat({sine, cosine}, -1);
  return width % 2 == 0 ? embedding : at::constant_pad_nd(embedding, {0, 1});
}

EmbeddingMLP::EmbeddingMLP(const Scope& scope, std::int64_t in, std::int64_t out, Activation activation)
    : activation_(activation), linear_1_(scope / "linear_1", in, out), linear_2_(scope / "linear_2", out, out) {}

Tensor EmbeddingMLP::forward(const Tensor& x, const AdapterCall* call) const {
  return linear_2_.forward(activate(linear_1_.forward(x, call), activation_), call);
}

}  // namespace atelier
