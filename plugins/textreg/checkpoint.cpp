#include "plugins/textreg/checkpoint.h"

#include <fmt/format.h>

#include <map>

#include "framework/core/error.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::textreg {
namespace {

TensorView view_of(const Tensor& tensor) { return to_view(tensor.detach().to(at::kFloat)); }

TensorView zeros(std::vector<std::int64_t> shape) {
  std::size_t count = 1;
  for (const auto size : shape) count *= static_cast<std::size_t>(size);
  return make_view(std::vector<double>(count, 0.0), std::move(shape), Dtype::f32);
}

/// The published program always injects the text encoder's updates and saves them, trained or not.
void add_untrained_text(std::vector<LoraEntry>& entries, const ModuleNames& target) {
  const auto rank = entries.front().rank;
  for (const auto& [path, shape] : target.components().at("text_encoder")) {
    if (path.find(".self_attn.") == std::string::npos) continue;
    entries.push_back({.module = "text_encoder." + path,
                       .down = zeros({rank, shape[1]}),
                       .up = zeros({shape[0], rank}),
                       .alpha = static_cast<double>(rank),
                       .rank = rank});
  }
}

bool has_text(const std::vector<LoraEntry>& entries) {
  return std::any_of(entries.begin(), entries.end(),
                     [](const LoraEntry& entry) { return entry.module.starts_with("text_encoder."); });
}

void require_one_encoder(const ModuleNames& target) {
  if (target.components().contains("text_encoder") && !target.components().contains("text_encoder_2")) return;
  throw Error({.where = "lora_weight.safetensors",
               .found = "a base model with another number of text encoders",
               .expected = "one: this form numbers the layers of `unet` and `text_encoder`",
               .advice = "write another format"});
}

}  // namespace

TensorSet lora_weight(const TrainedArtifact& artifact, const ModuleNames& target) {
  require_one_encoder(target);
  auto entries = low_rank_entries(artifact.tensors);
  if (!entries.empty() && !has_text(entries)) add_untrained_text(entries, target);
  std::map<std::string, TensorView> tokens;
  for (const auto& placeholder : placeholders_of(artifact.tensors)) {
    tokens[placeholder] = view_of(artifact.tensors.at(token_parameter("text_encoder", placeholder)).reshape({1, -1}));
  }
  return cloneofsimo_lora(entries, target, {{"unet", {"BasicTransformerBlock"}}, {"text_encoder", {"CLIPAttention"}}},
                          tokens);
}

}  // namespace atelier::textreg
