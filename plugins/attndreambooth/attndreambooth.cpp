// AttnDreamBooth (Pang et al. 2024, arXiv:2406.05000): a token, then the cross-attention, then the whole UNet learn,
// each from where the one before ended, while the attention to the token is kept like that to its class word.
#include <fmt/format.h>

#include <optional>

#include "framework/core/error.h"
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
    if (weight != 1.0) {
      throw Error({.where = "attndreambooth",
                   .found = fmt::format("weight {}", weight),
                   .expected = "1: the artifact is the tuned weights themselves, not a change of them"},
                  ErrorKind::usage);
    }
    const auto tokens = placeholders_of(artifact.tensors);
    if (tokens.empty()) {
      throw Error({.where = "attndreambooth",
                   .found = "an artifact without a learned token",
                   .expected = "tensors named " + token_parameter("text_encoder", "<placeholder>")});
    }
    for (const auto& token : tokens) apply_token(session, artifact.tensors, token, "attndreambooth");
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
