#include "plugins/attndreambooth/files.h"

#include <memory>

#include "framework/core/error.h"

namespace atelier::attndreambooth {
namespace {

TensorView view_of(const Tensor& tensor) {
  const auto dense = std::make_shared<const Tensor>(tensor.detach().to(at::kCPU, at::kFloat).contiguous());
  TensorView view;
  view.dtype = Dtype::f32;
  view.shape = dense->sizes().vec();
  view.bytes = {static_cast<const std::byte*>(dense->const_data_ptr()), dense->nbytes()};
  view.owner = dense;
  return view;
}

}  // namespace

std::map<std::string, TensorSet> unet_files(const TrainedArtifact& artifact) {
  constexpr std::string_view kUnet = "unet.";
  TensorSet set;
  set.metadata["format"] = "pt";
  for (const auto& [name, tensor] : artifact.tensors) {
    if (name.starts_with(kUnet)) set.tensors[name.substr(kUnet.size())] = view_of(tensor);
  }
  if (set.tensors.empty()) return {};
  return {{"unet/diffusion_pytorch_model.safetensors", std::move(set)}};
}

}  // namespace atelier::attndreambooth
