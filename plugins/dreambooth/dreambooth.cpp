// DreamBooth (Ruiz et al. 2023, arXiv:2208.12242) as diffusers' example trains it: the whole UNet learns.
#include <fmt/format.h>

#include "framework/core/error.h"
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
    if (name == kStage) return make_finetune_stage(Settings::read(options, subject));
    throw Error({.where = "dreambooth", .found = fmt::format("stage {}", name), .expected = kStage});
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    if (weight != 1.0) {
      throw Error({.where = "dreambooth",
                   .found = fmt::format("weight {}", weight),
                   .expected = "1: the artifact is the tuned weights themselves, not a change of them"},
                  ErrorKind::usage);
    }
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
