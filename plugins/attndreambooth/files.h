#pragma once

#include <map>
#include <optional>
#include <string>

#include "framework/methods/method.h"

namespace atelier::attndreambooth {

/// The published program's embedding file, a pickle of names and vectors [D] float32:
/// `learned_embeds/learned_embeds_steps_<k>.bin`; of later stages, which do not know k,
/// `learned_embeds/learned_embeds.bin`. The vectors are named as there: `new_concept_v0`, `new_concept_v1`, …
[[nodiscard]] std::map<std::string, std::string> embedding_files(const TrainedArtifact& artifact);

/// Where the program keeps the UNet of this artifact: `learned_models/attn_models/checkpoint-<k>/unet` or
/// `learned_models/unet_models/checkpoint-<k>/unet` -> "unet". Empty for stage `embedding`.
[[nodiscard]] std::map<std::string, std::string> unet_folders(const TrainedArtifact& artifact);

/// The output folder of the program, or a part of it: the embedding of most steps, and the last UNet (of the identity
/// stage, else of the attention stage, else none). Nothing where there is no such embedding file. Throws Error for
/// files that hold something else.
[[nodiscard]] std::optional<TrainedArtifact> read_output(const ForeignFiles& files);

}  // namespace atelier::attndreambooth
