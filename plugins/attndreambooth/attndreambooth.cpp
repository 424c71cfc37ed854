// AttnDreamBooth (Pang et al. 2024, arXiv:2406.05000): a token, then the cross-attention, then the whole UNet learn,
// each from where the one before ended, while the attention to the token is kept like that to its class word.
#include <optional>

#include "framework/methods/artifact_checks.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/plugin_main.h"
#include "framework/methods/trainable.h"
#include "plugins/attndreambooth/files.h"
#include "plugins/attndreambooth/spec.h"
#include "plugins/attndreambooth/stage.h"

namespace atelier::attndreambooth {
namespace {

class AttnDreamBooth final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                                             const PromptLists&) const override {
    return make_stage(Settings::read(std::string(name), options, subject));
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    require_full_weight(weight, kMethod);
    for (const auto& token : require_tokens(artifact, kMethod)) apply_token(session, artifact.tensors, token, kMethod);
    restore(session, artifact.tensors, "unet.*");
  }

  [[nodiscard]] std::map<std::string, std::string> other_files(const TrainedArtifact& artifact,
                                                               const ModuleNames&) const override {
    return embedding_files(artifact);
  }

  [[nodiscard]] std::map<std::string, std::string> components(const TrainedArtifact& artifact) const override {
    return unet_folders(artifact);
  }

  [[nodiscard]] std::optional<TrainedArtifact> read(const ForeignArtifact& artifact) const override {
    return read_output(artifact.files);
  }
};

}  // namespace
}  // namespace atelier::attndreambooth

ATELIER_METHOD_PLUGIN("attndreambooth", atelier::attndreambooth::AttnDreamBooth, atelier::attndreambooth::make_spec)
