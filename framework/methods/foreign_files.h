#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/json.h"
#include "framework/formats/lora_targets.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {

/// A file or folder that another program wrote, as a method may look at it. What it holds is data: nothing is run.
class ForeignFiles {
 public:
  /// Lists the folder (and the folders in it, links to folders excepted). Throws Error when there is no such file or
  /// folder, or when it holds more than 10000 files.
  explicit ForeignFiles(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool is_folder() const { return is_folder_; }
  /// Of a folder: its files relative to it, with '/', sorted. Of a file: its name.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool has(std::string_view name) const;
  /// Where the file of this name lies, for messages.
  [[nodiscard]] std::filesystem::path place(std::string_view name) const;

  /// The tensors of a safetensors file, or of one that torch.save wrote (nested names joined with dots, a bare tensor
  /// is ""); on the CPU, shared with the file's mapping: never to be written to. Throws Error when it is neither.
  [[nodiscard]] NamedTensors tensors(std::string_view name) const;
  /// The same with what lies beside a `state_dict`, whose tensors then have that name in front.
  [[nodiscard]] NamedTensors whole(std::string_view name) const;
  /// A text of at most 64 MiB.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] Json json(std::string_view name) const;

 private:
  std::filesystem::path path_;
  bool is_folder_ = false;
  std::vector<std::string> names_;
};

/// What a method is asked to read.
struct ForeignArtifact {
  const ForeignFiles& files;       ///< borrowed for the call
  const ModuleNames& target;       ///< every layer of the base model; borrowed for the call
  std::string placeholder = {};    ///< --placeholder; "" when it is not given
  Json settings = Json::object();  ///< --artifact-set: what the files do not say
};

}  // namespace atelier
