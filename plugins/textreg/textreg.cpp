// TextReg (Wang et al. 2024, IEEE TCSVT): an identifier learned under a mask that lets only the class words read it,
// then low-rank updates of the cross-attention's keys and values that are kept silent on texts.
#include "framework/core/error.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/plugin_main.h"
#include "plugins/textreg/checkpoint.h"
#include "plugins/textreg/lora_stage.h"
#include "plugins/textreg/spec.h"
#include "plugins/textreg/token_stage.h"

namespace atelier::textreg {
namespace {

LoRALoss read_loss(const Options& options) {
  LoRALoss loss;
  loss.text_reg = options.flag("enable_text_reg");
  loss.class_weight = options.real("text_reg_alpha_weight");
  loss.edit_weight = options.real("text_reg_beta_weight");
  if (options.flag("with_prior_preservation")) loss.prior_weight = options.real("prior_loss_weight");
  loss.text_learning_rate = options.real("ut.learning_rate_text");
  loss.identifier_file = options.optional_text("resume_ti_embedding_path");
  return loss;
}

void refuse_other_layers(const Settings& settings, const LoRALoss& loss) {
  if (!loss.text_reg || settings.lora.layers == "cross") return;
  throw Error({.where = "filter_crossattn_str",
               .found = settings.lora.layers,
               .expected = "cross, the only layers that read texts",
               .advice = "set enable_text_reg to false for other layers"},
              ErrorKind::usage);
}

class TextReg final : public Method {
 public:
  std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                               const PromptLists& lists) const override {
    auto settings = Settings::read(std::string(name), options, subject, lists);
    if (name == kTokenStage) return make_token_stage(std::move(settings), options.text("ti_reg_type") == "decay");
    auto loss = read_loss(options);
    refuse_other_layers(settings, loss);
    return make_lora_stage(std::move(settings), std::move(loss));
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    for (const auto& placeholder : placeholders_of(artifact.tensors)) {
      apply_token(session, artifact.tensors, placeholder, "textreg");
    }
    apply_low_rank(session, artifact.tensors, weight);
  }

  std::map<std::string, TensorSet> files(const TrainedArtifact& artifact, const ModuleNames& target) const override {
    return {{"lora_weight.safetensors", lora_weight(artifact, target)}};
  }
};

}  // namespace
}  // namespace atelier::textreg

ATELIER_METHOD_PLUGIN("textreg", atelier::textreg::TextReg, atelier::textreg::make_spec)
