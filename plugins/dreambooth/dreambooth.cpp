// DreamBooth (Ruiz et al. 2023, arXiv:2208.12242) as diffusers' example trains it: the whole UNet learns.
#include "framework/methods/artifact_checks.h"
#include "framework/methods/plugin_main.h"
#include "framework/methods/trainable.h"
#include "plugins/dreambooth/finetune_stage.h"
#include "plugins/dreambooth/pipeline_files.h"
#include "plugins/dreambooth/spec.h"

namespace atelier::dreambooth {
namespace {

class DreamBooth final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                                             const PromptLists&) const override {
    return name == kStage ? make_finetune_stage(Settings::read(options, subject)) : nullptr;
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    require_full_weight(weight, "dreambooth");
    require_unet(artifact);
    restore(session, artifact.tensors, "unet.*");
    restore(session, artifact.tensors, "text_encoder.*");
  }

  [[nodiscard]] std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                       const ModuleNames&) const override {
    return pipeline_files(artifact);
  }
};

}  // namespace
}  // namespace atelier::dreambooth

ATELIER_METHOD_PLUGIN("dreambooth", atelier::dreambooth::DreamBooth, atelier::dreambooth::make_spec)
