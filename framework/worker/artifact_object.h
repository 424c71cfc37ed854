#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "framework/methods/method.h"
#include "framework/store/store.h"

namespace atelier::worker {

/// A trained artifact as the store keeps it: a safetensors file with the tensors by parameter name, those for later
/// stages alone under "aux.", and in the metadata "atelier" a JSON of method, stage, step and notes. Equal tensors and
/// notes give equal bytes.
struct ArtifactObject {
  std::string method, stage;
  TrainedArtifact artifact;
  TensorMap aux;

  /// What a later stage starts from: everything, without the "aux.".
  [[nodiscard]] TensorMap all() const;
  /// Puts it into the store; returns the object's digest.
  [[nodiscard]] std::string store_in(const Store& store) const;
  /// Throws Error for a file that is none.
  [[nodiscard]] static ArtifactObject read(const std::filesystem::path& path);
};

/// Whether the file is one, judged by its metadata.
[[nodiscard]] bool is_artifact_object(const std::filesystem::path& path);

/// Collects what a stage saves, on the CPU. What lies there already is not copied (a whole UNet would be 3.5 GB more):
/// to be stored before the next step.
class ObjectWriter final : public ArtifactWriter {
 public:
  explicit ObjectWriter(ArtifactObject& object) : object_(object) {}
  void tensor(const std::string& name, const Tensor& value) override;
  void aux(const std::string& name, const Tensor& value) override;
  void note(const std::string& key, const std::string& value) override;

 private:
  ArtifactObject& object_;  // the caller's
};

}  // namespace atelier::worker
