#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/files/pickle_value.h"
#include "framework/formats/artifact_file.h"

namespace atelier {

/// One weight file, opened: safetensors, or a pickle with its tensors by name.
struct ArtifactContent {
  std::filesystem::path path;
  TensorFile tensors;                 ///< of a pickle: flattened with dots; empty for lists
  std::optional<PickleValue> pickle;  ///< the pickle itself
};

/// Throws Error when the file is neither.
[[nodiscard]] ArtifactContent open_artifact(const std::filesystem::path& path);
[[nodiscard]] ArtifactKind kind_of(const ArtifactContent& content);
/// Reads all parts into the artifact. Throws Error unless it is a LoRA, tokens or both.
void read_content(Artifact& artifact, const ArtifactContent& content, const ModuleNames& target,
                  const std::string& placeholder);
/// Adds a LoRA's entries. Throws Error when one of its layers is there already.
void add_lora(Artifact& artifact, LoraFile lora, const std::filesystem::path& path);

/// What a folder holds.
struct ArtifactFolder {
  ArtifactKind kind = ArtifactKind::unknown;    ///< pipeline, catversion, or of `files` and `adapters` together
  std::vector<std::filesystem::path> files;     ///< weight files to read
  std::vector<std::filesystem::path> adapters;  ///< folders with PEFT's adapter_config.json
};
/// Throws Error when it is not clear which of several files is meant.
[[nodiscard]] ArtifactFolder look_into(const std::filesystem::path& folder);

}  // namespace atelier
