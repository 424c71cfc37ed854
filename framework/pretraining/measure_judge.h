#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/models/classifier.h"

namespace atelier {

class SceneSet;

/// The judge of a pipeline, as it is used: values out of pictures.
class Judge {
 public:
  /// Throws Error when the pipeline has none.
  Judge(const std::filesystem::path& pipeline, const Placement& placement);

  /// images [B, S, S, 3] uint8 -> for each attribute of config(), in its order, the place of the likeliest value, [B,
  /// attributes] int64 on the CPU.
  [[nodiscard]] Tensor see(const Tensor& images) const;

  [[nodiscard]] const ClassifierConfig& config() const { return network_->config(); }
  /// Throws Error unless the set has pictures of the judge's size and the judge's attributes.
  void require_fit(const SceneSet& scenes) const;
  /// The place of an attribute in config(). Throws Error, naming `where`, when there is none.
  [[nodiscard]] std::size_t attribute(const std::string& name, const std::string& where) const;
  /// The place of each named value, by the attribute's place. Throws Error, naming `where`, for other names and values.
  [[nodiscard]] std::map<std::size_t, std::int64_t> places(const std::map<std::string, std::string>& values,
                                                           const std::string& where) const;

 private:
  std::unique_ptr<const AttributeClassifier> network_;
  std::string where_;
};

}  // namespace atelier
