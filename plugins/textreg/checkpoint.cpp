#include "plugins/textreg/checkpoint.h"

#include <fmt/format.h>

#include <map>

#include "framework/core/error.h"
#include "framework/formats/artifact_file.h"
#include "framework/methods/learned_token.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::textreg {
namespace {

constexpr std::string_view kDown = ".lora_A.weight";
constexpr std::string_view kUp = ".lora_B.weight";

TensorView view_of(const Tensor& tensor) { return to_view(tensor.detach().to(at::kFloat)); }

std::vector<LoraEntry> updates_of(const TrainedArtifact& artifact) {
  std::vector<LoraEntry> entries;
  for (const auto& [name, down] : artifact.tensors) {
    if (!name.ends_with(kDown)) continue;
    const auto layer = name.substr(0, name.size() - kDown.size());
    const auto up = artifact.tensors.find(layer + std::string(kUp));
    if (up == artifact.tensors.end()) {
      throw Error({.where = name, .found = "no " + layer + std::string(kUp), .expected = "both halves of an update"});
    }
    const auto rank = down.size(0);
    entries.push_back({.module = layer,
                       .down = view_of(down),
                       .up = view_of(up->second),
                       .alpha = static_cast<double>(rank),
                       .rank = rank});
  }
  return entries;
}

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
  auto entries = updates_of(artifact);
  if (!entries.empty() && !has_text(entries)) add_untrained_text(entries, target);
  std::map<std::string, TensorView> tokens;
  for (const auto& placeholder : placeholders_of(artifact.tensors)) {
    tokens[placeholder] = view_of(artifact.tensors.at(token_parameter("text_encoder", placeholder)).reshape({1, -1}));
  }
  return cloneofsimo_lora(entries, target, {{"unet", {"BasicTransformerBlock"}}, {"text_encoder", {"CLIPAttention"}}},
                          tokens);
}

TrainedArtifact read_lora_weight(const std::string& path, const ModuleNames& target) {
  const Artifact file = read_artifact(path, target);
  TrainedArtifact artifact;
  const auto entries = file.lora ? file.lora->entries : std::vector<LoraEntry>{};
  for (const LoraEntry& entry : entries) {
    const double scale = entry.alpha / static_cast<double>(entry.rank);
    artifact.tensors[entry.module + std::string(kDown)] = to_tensor(entry.down).to(at::kFloat).flatten(1);
    artifact.tensors[entry.module + std::string(kUp)] = to_tensor(entry.up).to(at::kFloat).flatten(1) * scale;
  }
  for (const EmbeddingFile& embedding : file.embeddings) {
    for (const auto& [encoder, view] : embedding.towers) {
      artifact.tensors[token_parameter(encoder, embedding.token)] = to_tensor(view).to(at::kFloat).reshape(-1);
    }
  }
  return artifact;
}

}  // namespace atelier::textreg
