#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/formats/embedding_file.h"
#include "framework/formats/lora_file.h"

namespace atelier {

/// What a file or folder of personalization holds, found from its content; names count only inside folders.
enum class ArtifactKind {
  lora,
  embedding,
  lora_and_embedding,
  custom_diffusion,  ///< recognised, read by its method's plugin
  catversion,        ///< recognised, read by its method's plugin
  pipeline,          ///< a folder with model_index.json: a whole model
  unknown,
};

/// "a LoRA", "learned tokens", …
[[nodiscard]] std::string_view artifact_kind_name(ArtifactKind kind);

/// Throws Error when the file cannot be read at all.
[[nodiscard]] ArtifactKind sniff_artifact(const std::filesystem::path& path);

struct Artifact {
  std::optional<LoraFile> lora;
  std::vector<EmbeddingFile> embeddings;
  std::vector<std::filesystem::path> files;  ///< that were read
};

/// Reads all parts of a file or of a folder: pytorch_lora_weights and learned_embeds as DCO and the training scripts
/// leave them, TextReg's lora_weight, PEFT folders (also one for each component, in unet/ and text_encoder/), or a
/// folder's only weight file. `placeholder` names tokens whose files do not.
/// Throws Error for kinds that a plugin or --model reads, for unknown content, and whatever read_lora and
/// read_embeddings throw.
[[nodiscard]] Artifact read_artifact(const std::filesystem::path& path, const ModuleNames& target,
                                     const std::string& placeholder = "");

}  // namespace atelier
