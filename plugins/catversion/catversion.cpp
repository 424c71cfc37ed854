// CatVersion (Zhao et al. 2023, arXiv:2311.14631): keys and values that stand in front of the text's in the last layers
// of the text encoder.
#include "framework/core/error.h"
#include "framework/methods/artifact_checks.h"
#include "framework/methods/plugin_main.h"
#include "framework/methods/stage_settings.h"
#include "framework/methods/trainable.h"
#include "framework/models/base.h"
#include "framework/models/clip_text.h"
#include "plugins/catversion/adapter_files.h"
#include "plugins/catversion/concat_stage.h"
#include "plugins/catversion/prefix.h"
#include "plugins/catversion/spec.h"

namespace atelier::catversion {
namespace {

class CatVersion final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                                             const PromptLists&) const override {
    return name == kStage ? std::make_unique<ConcatStage>(Settings::read(options, subject)) : nullptr;
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    require_full_weight(weight, "catversion", "the method has no strength");
    if (session.has_text_edits()) {
      throw Error({.where = "catversion",
                   .found = "a session whose text encoder is edited already",
                   .expected = "one artifact of this method at a time"},
                  ErrorKind::usage);
    }
    const auto& encoder = session.text(0).config();
    PrefixForm form = read_form(artifact, encoder.width);
    form.layers = count_layers(form.layers, encoder.layers, "catversion: note layers");
    put_prefix(session, form, trainable(session, artifact.tensors.at(kControlTrans)).requires_grad_(false));
  }

  [[nodiscard]] std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                       const ModuleNames& target) const override {
    return layer_file(artifact, target);
  }
  [[nodiscard]] std::map<std::string, std::string> other_files(const TrainedArtifact& artifact,
                                                               const ModuleNames& target) const override {
    return adapter_folder(artifact, target);
  }
  [[nodiscard]] std::optional<TrainedArtifact> read(const ForeignArtifact& artifact) const override {
    return read_adapter(artifact);
  }

  /// The unconditional branch is the plain encoder's: the authors stored it once, and no adapter changes it.
  [[nodiscard]] std::vector<PromptBranch> branches(const GuidanceRequest& request) const override {
    auto branches = Method::branches(request);
    for (auto& branch : branches) branch.edits = branch.name == "cond";
    return branches;
  }
};

}  // namespace
}  // namespace atelier::catversion

ATELIER_METHOD_PLUGIN("catversion", atelier::catversion::CatVersion, atelier::catversion::make_spec)
