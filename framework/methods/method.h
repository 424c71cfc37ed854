#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "framework/config/method_spec.h"
#include "framework/config/options.h"
#include "framework/formats/lora_targets.h"
#include "framework/formats/lora_values.h"
#include "framework/training/stage.h"

namespace atelier {

/// A trained artifact: named tensors and notes.
struct TrainedArtifact {
  TensorMap tensors;
  std::map<std::string, std::string> notes;
};

/// One row of the guided step: which prompt, how it is weighted, and what of the method it sees.
struct PromptBranch {
  std::string name;
  std::string text;
  bool edits = true;           ///< whether the text-attention edits apply (CatVersion: not to the unconditional branch)
  double adapter_scale = 1.0;  ///< 0: the base model
  double weight = 1.0;
};

/// What a guided step is asked for.
struct GuidanceRequest {
  std::string prompt;  ///< with the method's phrase in place
  std::string negative;
  std::string base_prompt;
  double guidance = 7.5;
  std::optional<double> reward;
};

/// A method: what its plugin creates. Stateless apart from its options.
class Method {
 public:
  Method() = default;
  virtual ~Method();
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;

  /// `options` may read what the stage's spec declares, nothing else. `lists` holds the stage's prompt lists.
  [[nodiscard]] virtual std::unique_ptr<Stage> stage(std::string_view name, const Options& options,
                                                     const Concept& subject, const PromptLists& lists) const = 0;
  /// Applies a trained artifact to a session; several times for several artifacts.
  virtual void apply(Session& session, const TrainedArtifact& artifact, double weight) const = 0;
  /// The artifact as the files that the method's own programs write, by name; none where there is no such form.
  /// `target`: every layer of the base model.
  [[nodiscard]] virtual std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                               const ModuleNames& target) const;
  /// Default: classifier-free guidance (Ho & Salimans 2022).
  [[nodiscard]] virtual std::vector<PromptBranch> branches(const GuidanceRequest& request) const;
};

}  // namespace atelier
