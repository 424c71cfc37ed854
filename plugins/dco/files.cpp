#include "plugins/dco/files.h"

#include "framework/core/error.h"
#include "framework/formats/artifact_file.h"
#include "framework/formats/embedding_file.h"
#include "framework/formats/lora_writer.h"
#include "framework/methods/learned_token.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::dco {
namespace {

constexpr const char* kLoraFile = "pytorch_lora_weights.safetensors";
constexpr const char* kEmbedsFile = "learned_embeds.safetensors";
constexpr std::string_view kDown = ".lora_A.weight";
constexpr std::string_view kUp = ".lora_B.weight";

TensorView view_of(const Tensor& tensor) { return to_view(tensor.detach().to(at::kFloat)); }

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

/// The updates under the names that apply() knows, with the scale alpha / rank in the ups.
void add_updates(const ForeignArtifact& artifact, TensorMap& tensors) {
  const auto file = read_artifact(artifact.files.place(kLoraFile), artifact.target);
  if (!file.lora) return;
  for (const LoraEntry& entry : file.lora->entries) {
    const double scale = entry.alpha / static_cast<double>(entry.rank);
    const Tensor up = to_tensor(entry.up);
    tensors[entry.module + std::string(kDown)] = to_tensor(entry.down).clone();
    tensors[entry.module + std::string(kUp)] = scale == 1.0 ? up.clone() : up * scale;
  }
}

}  // namespace

std::optional<TrainedArtifact> read_published(const ForeignArtifact& artifact) {
  const auto& files = artifact.files;
  if (!files.is_folder() || !files.has(kLoraFile) || !files.has(kEmbedsFile)) return std::nullopt;
  const auto rows = files.tensors(kEmbedsFile).tensors;
  if (rows.size() != 2 || !rows.contains("clip_l") || !rows.contains("clip_g")) return std::nullopt;
  if (artifact.placeholder.empty()) {
    throw Error({.where = files.place(kEmbedsFile).string(),
                 .found = "a learned token without a name",
                 .expected = "a name for it",
                 .advice = "give it with --placeholder"},
                ErrorKind::usage);
  }
  TrainedArtifact found;
  add_updates(artifact, found.tensors);
  // Several rows are as many vectors of one token.
  for (const auto& [encoder, key] : {std::pair{"text_encoder", "clip_l"}, {"text_encoder_2", "clip_g"}}) {
    const Tensor& vectors = rows.at(key);
    for (std::int64_t i = 0; i < vectors.size(0); ++i) {
      found.tensors[token_parameter(encoder, artifact.placeholder, i)] = vectors[i].clone();
    }
  }
  return found;
}

std::map<std::string, TensorSet> published_files(const TrainedArtifact& artifact) {
  std::map<std::string, TensorSet> files{{kLoraFile, lora_file(artifact)}};
  const auto tokens = placeholders_of(artifact.tensors);
  if (!tokens.empty()) files.emplace(kEmbedsFile, embeds_file(artifact, tokens.front()));
  return files;
}

}  // namespace atelier::dco
