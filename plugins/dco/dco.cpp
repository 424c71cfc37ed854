// DCO (Lee et al. 2024, arXiv:2402.12004): adapters, and a token, that learn only as far as they predict a picture's
// noise better than the base model, in words that name everything else in the picture.
#include <algorithm>

#include "framework/core/error.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/plugin_main.h"
#include "plugins/dco/files.h"
#include "plugins/dco/spec.h"
#include "plugins/dco/stage.h"

namespace atelier::dco {
namespace {

void require_updates(const TrainedArtifact& artifact) {
  const auto is_update = [](const auto& entry) { return entry.first.ends_with(".lora_A.weight"); };
  if (std::ranges::any_of(artifact.tensors, is_update)) return;
  throw Error({.where = "dco",
               .found = "an artifact without low-rank updates",
               .expected = "tensors named unet.….lora_A.weight and …lora_B.weight"});
}

class Dco final : public Method {
 public:
  std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                               const PromptLists&) const override {
    if (name != kSubjectStage && name != kStyleStage) return nullptr;
    return make_stage(Settings::read(std::string(name), options, subject));
  }

  /// Several add up: a subject and a style, each with its weight. The weight is the adapters'; a token has none.
  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    require_updates(artifact);
    for (const auto& token : placeholders_of(artifact.tensors)) apply_token(session, artifact.tensors, token, "dco");
    const auto pool = artifact.notes.find("pool");
    if (pool != artifact.notes.end() && pool->second == "eos") session.pool_at_eos();
    apply_low_rank(session, artifact.tensors, weight);
  }

  std::map<std::string, TensorSet> files(const TrainedArtifact& artifact, const ModuleNames&) const override {
    return published_files(artifact);
  }

  std::optional<TrainedArtifact> read(const ForeignArtifact& artifact) const override {
    return read_published(artifact);
  }
};

}  // namespace
}  // namespace atelier::dco

ATELIER_METHOD_PLUGIN("dco", atelier::dco::Dco, atelier::dco::make_spec)
