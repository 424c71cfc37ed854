// DreamBooth (Ruiz et al. 2023, arXiv:2208.12242) with LoRA, as diffusers' examples for Stable Diffusion and SDXL
// train.
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/plugin_main.h"
#include "plugins/dreambooth_lora/files.h"
#include "plugins/dreambooth_lora/lora_stage.h"
#include "plugins/dreambooth_lora/spec.h"

namespace atelier::dreambooth_lora {
namespace {

class DreamBoothLoRA final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                                             const PromptLists&) const override {
    return name == kStage ? make_lora_stage(Settings::read(options, subject)) : nullptr;
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    for (const auto& token : placeholders_of(artifact.tensors)) {
      apply_token(session, artifact.tensors, token, "dreambooth_lora");
    }
    apply_low_rank(session, artifact.tensors, weight);
  }

  [[nodiscard]] std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                       const ModuleNames&) const override {
    return diffusers_files(artifact);
  }
};

}  // namespace
}  // namespace atelier::dreambooth_lora

ATELIER_METHOD_PLUGIN("dreambooth_lora", atelier::dreambooth_lora::DreamBoothLoRA, atelier::dreambooth_lora::make_spec)
