// Custom Diffusion (Kumari et al. 2023, arXiv:2212.04488) as diffusers' example trains it: keys and values of the
// cross-attention, and a new token.
#include "framework/methods/artifact_checks.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/plugin_main.h"
#include "framework/methods/trainable.h"
#include "plugins/custom_diffusion/files.h"
#include "plugins/custom_diffusion/foreign.h"
#include "plugins/custom_diffusion/kv_stage.h"
#include "plugins/custom_diffusion/spec.h"

namespace atelier::custom_diffusion {
namespace {

class CustomDiffusion final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                                             const PromptLists& lists) const override {
    return name == kStage ? make_kv_stage(Settings::read(options, subject, lists)) : nullptr;
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    require_full_weight(weight, "custom_diffusion");
    for (const auto& token : placeholders_of(artifact.tensors)) {
      apply_token(session, artifact.tensors, token, "custom_diffusion");
    }
    restore(session, artifact.tensors, "unet.*");
  }

  [[nodiscard]] std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                       const ModuleNames& target) const override {
    return diffusers_files(artifact, target);
  }

  [[nodiscard]] std::map<std::string, std::string> other_files(const TrainedArtifact& artifact,
                                                               const ModuleNames& target) const override {
    return torch_files(artifact, target);
  }

  [[nodiscard]] std::optional<TrainedArtifact> read(const ForeignArtifact& artifact) const override {
    return read_foreign(artifact);
  }
};

}  // namespace
}  // namespace atelier::custom_diffusion

ATELIER_METHOD_PLUGIN("custom_diffusion", atelier::custom_diffusion::CustomDiffusion,
                      atelier::custom_diffusion::make_spec)
