#include "plugins/dreambooth/pipeline_files.h"

#include <algorithm>
#include "framework/core/error.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::dreambooth {
namespace {

TensorView view_of(const Tensor& tensor) { return to_view(tensor.detach().to(at::kFloat)); }

TensorSet part_of(const TrainedArtifact& artifact, const std::string& component) {
  TensorSet set;
  set.metadata["format"] = "pt";
  for (const auto& [name, tensor] : artifact.tensors) {
    if (name.starts_with(component + ".")) set.tensors[name.substr(component.size() + 1)] = view_of(tensor);
  }
  return set;
}

}  // namespace

void require_unet(const TrainedArtifact& artifact) {
  const auto of_unet = [](const auto& entry) { return entry.first.starts_with("unet."); };
  if (std::any_of(artifact.tensors.begin(), artifact.tensors.end(), of_unet)) return;
  throw Error({.where = "dreambooth",
               .found = "an artifact without weights of a UNet",
               .expected = "tensors named unet.…",
               .advice = "was it trained by another method?"});
}

std::map<std::string, TensorSet> pipeline_files(const TrainedArtifact& artifact) {
  require_unet(artifact);
  std::map<std::string, TensorSet> files{{"unet/diffusion_pytorch_model.safetensors", part_of(artifact, "unet")}};
  auto text = part_of(artifact, "text_encoder");
  if (!text.tensors.empty()) files["text_encoder/model.safetensors"] = std::move(text);
  return files;
}

}  // namespace atelier::dreambooth
