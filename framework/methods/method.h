#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "framework/config/method_spec.h"
#include "framework/config/options.h"
#include "framework/formats/lora_targets.h"
#include "framework/formats/lora_values.h"
#include "framework/methods/foreign_files.h"
#include "framework/training/stage.h"

namespace atelier {

/// A trained artifact: named tensors and notes.
struct TrainedArtifact {
  TensorMap tensors = {};
  std::map<std::string, std::string> notes =
      {};                 ///< for readers; "phrase": what {} in a prompt stands for, without a token
  std::int64_t step = 0;  ///< optimizer steps that its stage had made; 0 where that is not known
};

/// One row of the guided step: which prompt, how it is weighted, and what of the method it sees.
struct PromptBranch {
  std::string name;
  std::optional<std::string> text = {};  ///< empty: no prompt, that is "", or zeros where SDXL's model says so
  bool edits = true;                     ///< whether the session's edits of the text encoder's attention apply
  double adapter_scale = 1.0;            ///< of the UNet's adapters; 0: the base model
  double weight = 1.0;
};

/// What a guided step is asked for.
struct GuidanceRequest {
  std::string prompt = {};                   ///< with the method's phrase in place
  std::optional<std::string> negative = {};  ///< empty: none
  std::string base_prompt = {};              ///< the same without what was learned
  double guidance = 7.5;
  std::optional<double> reward = {};  ///< scale of the reward guidance of Lee et al. 2024
};

/// A method: what its plugin creates. Stateless apart from its options.
class Method {
 public:
  Method() = default;
  virtual ~Method();
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;

  /// `options` may read what the stage's spec declares, nothing else. `lists` holds the stage's prompt lists. Null for
  /// a stage that the method does not have, which the framework says in its own words.
  [[nodiscard]] virtual std::unique_ptr<Stage> stage(std::string_view name, const Options& options,
                                                     const Concept& subject, const PromptLists& lists) const = 0;
  /// Applies a trained artifact to a session; several times for several artifacts.
  virtual void apply(Session& session, const TrainedArtifact& artifact, double weight) const = 0;
  /// The artifact as the files that the method's own programs write, by name; none where there is no such form.
  /// `target`: every layer of the base model.
  [[nodiscard]] virtual std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                               const ModuleNames& target) const;
  /// Further such files as bytes, by name: those that are no safetensors. Names may lead into folders.
  [[nodiscard]] virtual std::map<std::string, std::string> other_files(const TrainedArtifact& artifact,
                                                                       const ModuleNames& target) const;
  /// Components of the tuned model that stand whole among those files, by folder: {"unet": "unet"}. config.json and
  /// weights are written there with the artifact applied.
  [[nodiscard]] virtual std::map<std::string, std::string> components(const TrainedArtifact& artifact) const;
  /// What files of the method's own programs hold, under the names that apply() knows. Nothing when they are not this
  /// method's (asked for whatever no other reader knows); throws Error when they are and cannot be read.
  [[nodiscard]] virtual std::optional<TrainedArtifact> read(const ForeignArtifact& artifact) const;
  /// Default: classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598), u + g (c - u) as {u: 1 - g, c: g}; the
  /// unconditional branch is left out for g = 1. With a reward scale r (Lee et al. 2024, arXiv:2402.12004):
  /// {u: 1 - g, base model}, {base prompt: g - r, base model}, {prompt: r}.
  [[nodiscard]] virtual std::vector<PromptBranch> branches(const GuidanceRequest& request) const;
};

}  // namespace atelier
