#pragma once

#include <map>
#include <string>

#include "framework/formats/lora_values.h"
#include "framework/methods/method.h"

namespace atelier::attndreambooth {

/// The weights of the UNet that were trained, as `unet/diffusion_pytorch_model.safetensors` in float32; of stage
/// `embedding` none.
[[nodiscard]] std::map<std::string, TensorSet> unet_files(const TrainedArtifact& artifact);

}  // namespace atelier::attndreambooth
