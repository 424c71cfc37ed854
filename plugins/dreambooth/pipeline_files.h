#pragma once

#include <map>
#include <string>

#include "framework/formats/lora_values.h"
#include "framework/methods/method.h"

namespace atelier::dreambooth {

/// Throws Error for an artifact without weights of a UNet.
void require_unet(const TrainedArtifact& artifact);

/// What the published script's save_pretrained() writes of what was trained: `unet/diffusion_pytorch_model.safetensors`
/// and, where it learned, `text_encoder/model.safetensors`, in float32. Laid over a copy of the base model's folder
/// they are the tuned pipeline. Throws Error as above.
[[nodiscard]] std::map<std::string, TensorSet> pipeline_files(const TrainedArtifact& artifact);

}  // namespace atelier::dreambooth
