#include "plugins/dco/files.h"

#include <memory>

#include "framework/core/error.h"
#include "framework/formats/embedding_file.h"
#include "framework/formats/lora_writer.h"
#include "framework/methods/learned_token.h"

namespace atelier::dco {
namespace {

constexpr std::string_view kDown = ".lora_A.weight";
constexpr std::string_view kUp = ".lora_B.weight";

TensorView view_of(const Tensor& tensor) {
  const auto dense = std::make_shared<const Tensor>(tensor.detach().to(at::kCPU, at::kFloat).contiguous());
  TensorView view;
  view.dtype = Dtype::f32;
  view.shape = dense->sizes().vec();
  view.bytes = {static_cast<const std::byte*>(dense->const_data_ptr()), dense->nbytes()};
  view.owner = dense;
  return view;
}

LoraEntry entry_of(const TrainedArtifact& artifact, const std::string& layer) {
  const auto down = artifact.tensors.find(layer + std::string(kDown));
  const auto up = artifact.tensors.find(layer + std::string(kUp));
  if (up == artifact.tensors.end()) {
    throw Error({.where = layer, .found = "no lora_B.weight", .expected = "both halves of an update"});
  }
  const auto rank = down->second.size(0);
  return {.module = layer,
          .down = view_of(down->second),
          .up = view_of(up->second),
          .alpha = static_cast<double>(rank),
          .rank = rank};
}

TensorSet lora_file(const TrainedArtifact& artifact) {
  std::vector<LoraEntry> entries;
  for (const auto& [name, tensor] : artifact.tensors) {
    if (name.ends_with(kDown)) entries.push_back(entry_of(artifact, name.substr(0, name.size() - kDown.size())));
  }
  return diffusers_legacy_lora(entries);
}

TensorView row_of(const TrainedArtifact& artifact, const std::string& encoder, const std::string& token) {
  return view_of(artifact.tensors.at(token_parameter(encoder, token)).reshape({1, -1}));
}

TensorSet embeds_file(const TrainedArtifact& artifact, const std::string& token) {
  const TensorView first = row_of(artifact, "text_encoder", token);
  if (!artifact.tensors.contains(token_parameter("text_encoder_2", token))) return learned_embeds(token, first);
  return two_tower_embeds(first, row_of(artifact, "text_encoder_2", token));
}

}  // namespace

std::map<std::string, TensorSet> published_files(const TrainedArtifact& artifact) {
  std::map<std::string, TensorSet> files{{"pytorch_lora_weights.safetensors", lora_file(artifact)}};
  const auto tokens = placeholders_of(artifact.tensors);
  if (!tokens.empty()) files.emplace("learned_embeds.safetensors", embeds_file(artifact, tokens.front()));
  return files;
}

}  // namespace atelier::dco
