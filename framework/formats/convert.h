#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/formats/artifact_file.h"
#include "framework/formats/dialects.h"
#include "framework/formats/lora_writer.h"

namespace atelier {

class Checkpoint;

/// What a conversion knows of the base model.
struct ConvertTarget {
  ModuleNames names;
  std::map<std::string, std::int64_t> widths = {};  ///< of the text encoders' tokens
  KohyaInfo info = {};
};
/// Of a base model: the shapes of its layers are read, not its weights.
[[nodiscard]] ConvertTarget convert_target(const Checkpoint& checkpoint);

struct ConvertRequest {
  std::filesystem::path in;
  std::string to;
  std::filesystem::path out;
  const ConvertTarget* target = nullptr;  ///< borrowed; nullptr: no base model
  std::string token = {};                 ///< names a token whose file does not; of several, the one to write
  std::optional<Dtype> dtype = {};        ///< of the written tensors; nothing: as they are
  std::string title = {};                 ///< of the written LoRA, where the dialect has a place for one
  std::string method = {};                ///< that applies a written artifact
};

/// What was done.
struct ConvertReport {
  std::vector<std::string> from;  ///< dialects of the file that was read
  std::string to;
  std::size_t layers = 0;           ///< of the LoRA that was written
  std::vector<std::string> tokens;  ///< that were written
  std::vector<std::string> left;    ///< what the file holds besides and the dialect has no place for
};

/// Reads a file or folder of any dialect and writes it in another. Ranks may differ by layer; alphas that the dialect
/// has no place for are multiplied into `up` and noted in its metadata ("atelier_alphas"), from which a conversion back
/// restores them.
/// Throws Error for keys that name no layer and layers without a half, by name; (usage) for a pair that conversions()
/// does not list, and where a dialect needs the base model and there is none.
[[nodiscard]] ConvertReport convert(const ConvertRequest& request);

/// A LoRA and the tokens beside it, read without a base model where the dialect's names allow it; alphas restored.
[[nodiscard]] Artifact read_for_conversion(const std::filesystem::path& in, const ConvertTarget* target,
                                           const std::string& token);

/// The layers that the file's own keys name, for dialects that need no base model: what read_artifact() is to check
/// halves against.
[[nodiscard]] ModuleNames own_names(const std::filesystem::path& in);

}  // namespace atelier
