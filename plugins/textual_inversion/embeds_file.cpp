#include "plugins/textual_inversion/embeds_file.h"

#include <ATen/ops/stack.h>

#include "framework/core/error.h"
#include "framework/formats/embedding_file.h"
#include "framework/methods/learned_token.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::textual_inversion {
namespace {

/// [n, D]; undefined where the artifact holds no vector for the encoder.
Tensor vectors_of(const TrainedArtifact& artifact, const std::string& encoder, const std::string& placeholder) {
  std::vector<Tensor> vectors;
  const auto find = [&] {
    const auto number = static_cast<std::int64_t>(vectors.size());
    return artifact.tensors.find(token_parameter(encoder, placeholder, number));
  };
  for (auto found = find(); found != artifact.tensors.end(); found = find()) vectors.push_back(found->second.detach());
  return vectors.empty() ? Tensor() : at::stack(vectors);
}

TensorView view_of(const Tensor& tensor) { return to_view(tensor.detach().to(at::kFloat)); }

}  // namespace

std::map<std::string, TensorSet> embeds_file(const TrainedArtifact& artifact) {
  const auto placeholders = placeholders_of(artifact.tensors);
  if (placeholders.empty()) {
    throw Error({.where = "learned_embeds.safetensors",
                 .found = "an artifact without a learned token",
                 .expected = "tensors named " + token_parameter("text_encoder", "<placeholder>")});
  }
  const auto& token = placeholders.front();
  const Tensor first = vectors_of(artifact, "text_encoder", token);
  const Tensor second = vectors_of(artifact, "text_encoder_2", token);
  if (!second.defined()) return {{"learned_embeds.safetensors", learned_embeds(token, view_of(first))}};
  const bool is_name = token.find('/') == std::string::npos && !token.starts_with('.');
  return {{(is_name ? token : "learned_embeds") + ".safetensors", two_tower_embeds(view_of(first), view_of(second))}};
}

}  // namespace atelier::textual_inversion
