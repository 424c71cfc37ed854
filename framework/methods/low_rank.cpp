#include "framework/methods/low_rank.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/methods/trainable.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {
namespace {

constexpr std::string_view kDown = ".lora_A.weight";
constexpr std::string_view kUp = ".lora_B.weight";

std::string down_name(const std::string& layer) { return layer + std::string(kDown); }
std::string up_name(const std::string& layer) { return layer + std::string(kUp); }

struct Shapes {
  std::vector<std::int64_t> down;  // [r, in], of a convolution [r, in, k, k]
  std::vector<std::int64_t> up;    // [out, r], [out, r, 1, 1]
};

Shapes shapes_for(const std::string& layer, const std::vector<std::int64_t>& weight, std::int64_t rank) {
  if (rank < 1 || rank > std::min(weight[0], weight[1])) {
    throw Error({.where = layer,
                 .found = fmt::format("rank {}", rank),
                 .expected = fmt::format("1 to {}, the layer's width", std::min(weight[0], weight[1]))},
                ErrorKind::usage);
  }
  Shapes shapes{.down = weight, .up = {weight[0], rank}};
  shapes.down[0] = rank;
  shapes.up.resize(weight.size(), 1);
  return shapes;
}

struct Halves {
  std::string layer;
  Tensor down, up;
};

/// All adapters that the tensors hold, by layer.
std::vector<Halves> adapters_in(const TensorMap& tensors) {
  std::vector<Halves> adapters;
  for (const auto& [name, down] : tensors) {
    if (!name.ends_with(kDown)) continue;
    const auto layer = name.substr(0, name.size() - kDown.size());
    const auto up = tensors.find(up_name(layer));
    if (up == tensors.end()) {
      throw Error({.where = name, .found = "no " + up_name(layer), .expected = "both halves of an adapter"});
    }
    adapters.push_back({layer, down, up->second});
  }
  return adapters;
}

}  // namespace

std::vector<Parameter> attach_low_rank(Session& session, const Start& start, Draws& draws,
                                       const std::vector<std::string>& layers, std::int64_t rank, double scale) {
  std::vector<Parameter> parameters;
  for (const auto& layer : layers) {
    const Shapes shapes = shapes_for(layer, session.layer_shape(layer), rank);
    const auto down = down_name(layer);
    const auto random = [&] { return draws.normal(down, shapes.down) / static_cast<double>(rank); };
    const LowRank adapter{.a = trainable(session, start.value(down, random)),
                          .b = trainable(session, start.value(up_name(layer), [&] { return at::zeros(shapes.up); })),
                          .scale = scale};
    session.attach(layer, adapter);
    parameters.push_back({down, adapter.a});
    parameters.push_back({up_name(layer), adapter.b});
  }
  return parameters;
}

void apply_low_rank(Session& session, const TensorMap& tensors, double scale) {
  for (const auto& [layer, down, up] : adapters_in(tensors)) {
    session.attach(layer, {.a = trainable(session, down).requires_grad_(false),
                           .b = trainable(session, up).requires_grad_(false),
                           .scale = scale});
  }
}

std::vector<LoraEntry> low_rank_entries(const TensorMap& tensors) {
  std::vector<LoraEntry> entries;
  for (const auto& [layer, down, up] : adapters_in(tensors)) {
    const auto rank = down.size(0);
    entries.push_back({.module = layer,
                       .down = to_view(down.to(at::kFloat)),
                       .up = to_view(up.to(at::kFloat)),
                       .alpha = static_cast<double>(rank),
                       .rank = rank});
  }
  return entries;
}

}  // namespace atelier
