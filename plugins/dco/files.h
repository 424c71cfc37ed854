#pragma once

#include <map>
#include <optional>
#include <string>

#include "framework/formats/lora_values.h"
#include "framework/methods/method.h"

namespace atelier::dco {

/// The artifact as the published program writes it, in float32: `pytorch_lora_weights.safetensors` with
/// unet.<layer>.lora.{down,up}.weight and no alpha (it is the rank), and `learned_embeds.safetensors` with clip_l
/// [1, 768] and clip_g [1, 1280], which do not store the token's name. For base models of one text encoder, which the
/// published program does not know, the latter is diffusers' {token: [1, D]}.
[[nodiscard]] std::map<std::string, TensorSet> published_files(const TrainedArtifact& artifact);

/// The way back: a folder with both files for SDXL. Its tokens are named by --placeholder: "<dog>", or one name for
/// each row with + between them, in the order of the program's `inserting_tokens`; with one name all rows are vectors
/// of that token. Nothing for other files. Throws Error (usage) without a name, and for another number of names.
[[nodiscard]] std::optional<TrainedArtifact> read_published(const ForeignArtifact& artifact);

}  // namespace atelier::dco
