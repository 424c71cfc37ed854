#include "plugins/custom_diffusion/files.h"

#include <ATen/ops/empty.h>

#include "framework/core/error.h"
#include "framework/files/torch_writer.h"
#include "framework/formats/embedding_file.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/token_files.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::custom_diffusion {
namespace {

constexpr std::string_view kUNet = "unet.";
constexpr std::string_view kCross = ".attn2.";
constexpr std::string_view kSelfKeys = ".attn1.to_k";

TensorView view_of(const Tensor& tensor) { return to_view(tensor.detach().to(at::kFloat)); }

/// "….attn2.to_out.0.weight" -> "….attn2.processor.to_out_custom_diffusion.0.weight".
std::string processor_name(const std::string& parameter) {
  const auto cross = parameter.find(kCross) + kCross.size();
  const auto projection = parameter.find('.', cross);
  return parameter.substr(0, cross) + "processor." + parameter.substr(cross, projection - cross) + "_custom_diffusion" +
         parameter.substr(projection);
}

constexpr std::string_view kWeights = "pytorch_custom_diffusion_weights";

/// The weights that learned, by the processors' names.
std::map<std::string, TensorView> learned_weights(const TrainedArtifact& artifact) {
  std::map<std::string, TensorView> weights;
  for (const auto& [name, tensor] : artifact.tensors) {
    if (!name.starts_with(kUNet) || name.find(kCross) == std::string::npos) continue;
    weights.emplace(processor_name(name.substr(kUNet.size())), view_of(tensor));
  }
  if (!weights.empty()) return weights;
  throw Error({.where = std::string(kWeights),
               .found = "an artifact without cross-attention weights",
               .expected = "tensors named unet.<layer>.attn2.to_k.weight"});
}

/// The processors of the self-attentions, which have no weights of their own.
std::vector<std::string> empty_processors(const ModuleNames& target) {
  std::vector<std::string> names;
  for (const auto& [path, shape] : target.components().at("unet")) {
    if (!path.ends_with(kSelfKeys)) continue;
    names.push_back(path.substr(0, path.size() - std::string_view(".to_k").size()) + ".processor");
  }
  return names;
}

TensorSet weights_file(const TrainedArtifact& artifact, const ModuleNames& target) {
  TensorSet file{.tensors = learned_weights(artifact), .metadata = {{"format", "pt"}}};
  for (const auto& name : empty_processors(target)) file.tensors.emplace(name, view_of(at::empty({0}, at::kFloat)));
  return file;
}

/// As the program writes it: of one encoder the vector itself, [D].
TensorSet modifier(const TrainedArtifact& artifact, const std::string& token) {
  if (artifact.tensors.contains(token_parameter("text_encoder_2", token))) return token_set(artifact.tensors, token);
  return learned_embeds(token, view_of(artifact.tensors.at(token_parameter("text_encoder", token))));
}

std::string stem_of(const std::string& token) { return token_stem(token, "modifier_token"); }

}  // namespace

std::map<std::string, TensorSet> diffusers_files(const TrainedArtifact& artifact, const ModuleNames& target) {
  std::map<std::string, TensorSet> files{{std::string(kWeights) + ".safetensors", weights_file(artifact, target)}};
  for (const auto& token : placeholders_of(artifact.tensors)) {
    files.emplace(stem_of(token) + ".safetensors", modifier(artifact, token));
  }
  return files;
}

std::map<std::string, std::string> torch_files(const TrainedArtifact& artifact, const ModuleNames& target) {
  TorchValue::Dictionary weights;
  for (const auto& [name, view] : learned_weights(artifact)) weights.emplace_back(name, view);
  for (const auto& name : empty_processors(target)) weights.emplace_back(name, TorchValue::Dictionary{});
  std::map<std::string, std::string> files{
      {std::string(kWeights) + ".bin", torch_file(weights, std::string(kWeights))}};
  for (const auto& token : placeholders_of(artifact.tensors)) {
    TorchValue::Dictionary rows;
    for (const auto& [name, view] : modifier(artifact, token).tensors) rows.emplace_back(name, view);
    files.emplace(stem_of(token) + ".bin", torch_file(rows, stem_of(token)));
  }
  return files;
}

}  // namespace atelier::custom_diffusion
