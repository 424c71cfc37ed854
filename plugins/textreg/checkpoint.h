#pragma once

#include <string>

#include "framework/formats/lora_writer.h"
#include "framework/methods/method.h"

namespace atelier::textreg {

/// The published program's checkpoint, `lora_weight….safetensors`: the UNet's updates as `unet:i:{up,down}`, those of
/// the text encoder as `text_encoder:j:{up,down}` (zeros where it was not trained: the form always has them), in half
/// precision and numbered by the walk through the model; the identifier under its own name, [1, D] float32.
/// `target`: all layers of the base model. Without updates (stage ti) the ups are zero.
/// Throws Error where the artifact does not fit the target, or where its text encoder is not one.
[[nodiscard]] TensorSet lora_weight(const TrainedArtifact& artifact, const ModuleNames& target);

}  // namespace atelier::textreg
