#pragma once

#include <string>
#include <vector>

#include "framework/formats/embedding_file.h"
#include "framework/formats/lora_file.h"
#include "framework/formats/lora_values.h"

namespace atelier {

/// A trained artifact as the store keeps it and methods apply it: low-rank updates as "<layer>.lora_A.weight" and
/// "<layer>.lora_B.weight" with alpha = rank, tokens as "<encoder>.token.<name>" [D] (a token's further vectors end in
/// "_1", "_2", …), what only later stages read under "aux.", and in the metadata "atelier" the method that applies it.

/// Judged by the metadata.
[[nodiscard]] bool is_trained_artifact(const TensorFile& file);
[[nodiscard]] bool holds_artifact_tokens(const TensorFile& file);

/// The tensors of the updates alone. Throws Error naming tensors that are neither updates nor tokens: those of a method
/// that learns something else.
[[nodiscard]] TensorFile artifact_updates(const TensorFile& file);

/// The tokens, in order of their names; form "artifact". Throws as above.
[[nodiscard]] std::vector<EmbeddingFile> artifact_tokens(const TensorFile& file);

/// A layer by the name that a session knows it by: files of recent transformers leave "text_model." out of those of
/// text encoders.
[[nodiscard]] std::string session_layer(const std::string& module);

/// An artifact of `method`, from a LoRA (its layers by those names) and tokens of any source; where alpha / rank is not
/// 1 it is multiplied into the up halves. `source` is noted.
[[nodiscard]] TensorSet trained_artifact(const std::vector<LoraEntry>& entries,
                                         const std::vector<EmbeddingFile>& tokens, const std::string& method,
                                         const std::string& source);

}  // namespace atelier
