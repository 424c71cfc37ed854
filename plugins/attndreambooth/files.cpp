#include "plugins/attndreambooth/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "framework/core/error.h"
#include "framework/files/torch_writer.h"
#include "framework/methods/learned_token.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::attndreambooth {
namespace {

constexpr std::string_view kUnet = "unet.";
constexpr std::string_view kFirst = "_v0";
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

bool has_unet(const TrainedArtifact& artifact) {
  return std::ranges::any_of(artifact.tensors, [](const auto& entry) { return entry.first.starts_with(kUnet); });
}

/// Stage attention keeps the cross-attention alone.
bool is_whole(const TrainedArtifact& artifact) {
  return std::ranges::any_of(artifact.tensors, [](const auto& entry) {
    return entry.first.starts_with(kUnet) && entry.first.find("attn2") == std::string::npos;
  });
}

/// "new_concept_v0" and "new_concept" both have a vector "new_concept_v1".
std::string published_name(std::string placeholder, std::int64_t vector) {
  if (placeholder.ends_with(kFirst)) placeholder.resize(placeholder.size() - kFirst.size());
  return fmt::format("{}_v{}", placeholder, vector);
}

/// The digits at the end of a text; nothing where there are none.
std::optional<std::int64_t> number_behind(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  return std::stoll(std::string(text));
}

/// How late an embedding file is; nothing for other files.
std::optional<std::int64_t> embedding_rank(const std::string& name) {
  const auto slash = name.rfind('/');
  const std::string_view leaf = std::string_view(name).substr(slash == std::string::npos ? 0 : slash + 1);
  if (!leaf.ends_with(".bin")) return std::nullopt;
  if (leaf == "learned_embeds.bin" && name.ends_with("learned_embeds/learned_embeds.bin")) return kLast;
  return number_behind(leaf.substr(0, leaf.size() - 4), "learned_embeds_steps_");
}

/// How late a UNet is: stage, then steps; nothing for other files.
std::optional<std::tuple<int, std::int64_t>> unet_rank(const std::string& name) {
  const bool weights =
      name.ends_with("unet/diffusion_pytorch_model.safetensors") || name.ends_with("unet/diffusion_pytorch_model.bin");
  if (!weights) return std::nullopt;
  const int stage = name.find("unet_models/") != std::string::npos   ? 2
                    : name.find("attn_models/") != std::string::npos ? 1
                                                                     : 0;
  const auto folder = name.find("checkpoint-");
  if (folder == std::string::npos) return std::tuple{stage, std::int64_t{0}};
  const auto leaf = name.substr(folder, name.find('/', folder) - folder);
  return std::tuple{stage, number_behind(leaf, "checkpoint-").value_or(0)};
}

/// The name with the highest rank; empty when none has one.
template <typename Rank>
std::string latest(const std::vector<std::string>& names, const Rank& rank) {
  std::string best;
  for (const auto& name : names) {
    if (rank(name) && (best.empty() || *rank(name) > *rank(best))) best = name;
  }
  return best;
}

/// By the number at the end of their names: …_v9 before …_v10.
std::vector<std::pair<std::string, Tensor>> in_order(const TensorMap& vectors) {
  std::vector<std::pair<std::string, Tensor>> ordered(vectors.begin(), vectors.end());
  const auto number = [](const std::string& name) {
    const auto place = name.rfind("_v");
    return place == std::string::npos ? kLast : number_behind(name.substr(place), "_v").value_or(kLast);
  };
  std::ranges::stable_sort(ordered, {}, [&](const auto& entry) { return number(entry.first); });
  return ordered;
}

void read_vectors(const ForeignFiles& files, const std::string& name, TrainedArtifact& artifact) {
  const auto vectors = in_order(files.tensors(name).tensors);
  std::int64_t place = 0;
  for (const auto& [token, vector] : vectors) {
    if (token.empty() || vector.dim() != 1 || !vector.is_floating_point() || vector.numel() == 0) {
      throw Error({.where = files.place(name).string() + ": " + token,
                   .found = describe(vector.sizes(), vector.scalar_type()),
                   .expected = "vectors [D] by the names of tokens"});
    }
    artifact.tensors[token_parameter("text_encoder", vectors.front().first, place++)] = vector;
  }
  if (place == 0) {
    throw Error({.where = files.place(name).string(), .found = "no vectors", .expected = "those of a new token"});
  }
  artifact.notes["placeholder_token"] = vectors.front().first;
}

}  // namespace

std::map<std::string, std::string> embedding_files(const TrainedArtifact& artifact) {
  const auto placeholders = placeholders_of(artifact.tensors);
  if (placeholders.empty()) return {};
  TorchValue::Dictionary vectors;
  for (std::int64_t i = 0;; ++i) {
    const auto found = artifact.tensors.find(token_parameter("text_encoder", placeholders.front(), i));
    if (found == artifact.tensors.end()) break;
    vectors.emplace_back(published_name(placeholders.front(), i), to_view(found->second.to(at::kFloat)));
  }
  const auto stem = has_unet(artifact) ? "learned_embeds" : fmt::format("learned_embeds_steps_{}", artifact.step);
  return {{"learned_embeds/" + stem + ".bin", torch_file(std::move(vectors), stem)}};
}

std::map<std::string, std::string> unet_folders(const TrainedArtifact& artifact) {
  if (!has_unet(artifact)) return {};
  return {{fmt::format("learned_models/{}/checkpoint-{}/unet", is_whole(artifact) ? "unet_models" : "attn_models",
                       artifact.step),
           "unet"}};
}

std::optional<TrainedArtifact> read_output(const ForeignFiles& files) {
  const auto embedding = latest(files.names(), embedding_rank);
  if (embedding.empty()) return std::nullopt;
  TrainedArtifact artifact;
  read_vectors(files, embedding, artifact);
  const auto unet = latest(files.names(), unet_rank);
  if (unet.empty()) return artifact;
  for (const auto& [name, tensor] : files.tensors(unet).tensors) artifact.tensors[std::string(kUnet) + name] = tensor;
  return artifact;
}

}  // namespace atelier::attndreambooth
