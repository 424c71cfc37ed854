#include "framework/methods/token_files.h"

#include <ATen/ops/stack.h>

#include "framework/core/error.h"
#include "framework/formats/embedding_file.h"
#include "framework/methods/learned_token.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {
namespace {

constexpr const char* kUsualStem = "learned_embeds";

bool has_second(const TensorMap& tensors, const std::string& token) {
  return tensors.contains(token_parameter("text_encoder_2", token));
}

TensorView view_of(const TensorMap& tensors, const std::string& encoder, const std::string& token) {
  const Tensor vectors = token_vectors(tensors, encoder, token);
  if (vectors.defined()) return to_view(vectors);
  throw Error({.where = kUsualStem,
               .found = "no tensor " + token_parameter(encoder, token),
               .expected = "the learned vectors of " + token});
}

}  // namespace

Tensor token_vectors(const TensorMap& tensors, const std::string& encoder, const std::string& token) {
  std::vector<Tensor> vectors;
  const auto next = [&] {
    return tensors.find(token_parameter(encoder, token, static_cast<std::int64_t>(vectors.size())));
  };
  for (auto found = next(); found != tensors.end(); found = next()) vectors.push_back(found->second.detach());
  return vectors.empty() ? Tensor() : at::stack(vectors).to(at::kFloat);
}

TensorSet token_set(const TensorMap& tensors, const std::string& token) {
  const TensorView first = view_of(tensors, "text_encoder", token);
  if (!has_second(tensors, token)) return learned_embeds(token, first);
  return two_tower_embeds(first, view_of(tensors, "text_encoder_2", token));
}

std::pair<std::string, TensorSet> token_file(const TensorMap& tensors, const std::string& token) {
  const auto stem = has_second(tensors, token) ? token_stem(token, kUsualStem) : kUsualStem;
  return {stem + ".safetensors", token_set(tensors, token)};
}

std::string token_stem(const std::string& token, const std::string& otherwise) {
  return token.find('/') == std::string::npos && !token.starts_with('.') ? token : otherwise;
}

}  // namespace atelier
