// Textual Inversion (Gal et al. 2022, arXiv:2208.01618) as diffusers' example trains it: the vectors of one new token.
#include "framework/core/error.h"
#include "framework/methods/artifact_checks.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/plugin_main.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "framework/methods/token_files.h"
#include "plugins/textual_inversion/spec.h"

namespace atelier::textual_inversion {
namespace {

struct Settings {
  std::string placeholder;
  std::string initializer;
  std::int64_t vectors = 1;
  std::vector<std::string> templates;  ///< with {} for the placeholder
  DataSpec data;
  TrainSpec train;
  double learning_rate = 0.0, weight_decay = 0.0;
};

std::vector<std::string> templates_of(const Options& options, const PromptLists& lists) {
  const auto id = template_list(options.text("templates"), options.text("learnable_property"));
  const auto found = lists.find(id);
  if (found != lists.end() && !found->second.empty()) return found->second;
  throw Error({.where = id, .found = "no prompts", .expected = "the list of training templates"});
}

DataSpec data_of(const Options& options) {
  DataSpec data;
  data.recipe.transform.size = static_cast<int>(options.integer("resolution"));
  data.recipe.transform.method = ResizeMethod::pil_bicubic;
  data.recipe.transform.squash = true;
  data.recipe.transform.centre_square = options.flag("center_crop");
  data.recipe.flip_probability = options.real("flip_probability");
  data.recipe.exif = ExifRule::ignore;
  data.repeats = options.integer("repeats");
  data.drop_last = false;
  data.tells_photos = read_tells_photos(options);
  return data;
}

Settings read_settings(const Options& options, const Concept& subject, const PromptLists& lists) {
  return {.placeholder = options.text("placeholder_token"),
          .initializer = read_initializer(options, subject),
          .vectors = options.integer("num_vectors"),
          .templates = templates_of(options, lists),
          .data = data_of(options),
          .train = read_train_spec(options, kStage, kSteps),
          .learning_rate = read_learning_rate(options, kStage),
          .weight_decay = read_weight_decay(options, kStage)};
}

class EmbeddingStage final : public Stage {
 public:
  explicit EmbeddingStage(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] DataSpec data() const override { return settings_.data; }
  [[nodiscard]] TrainSpec train() const override { return settings_.train; }

  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws&) override {
    session_ = &session;
    const auto rows = initializer_rows(session, settings_.initializer, "initializer_token");
    ParamGroup group;
    group.name = "token";
    group.learning_rate = settings_.learning_rate;
    group.weight_decay = settings_.weight_decay;
    for (auto& tower : add_learned_token(session, start, settings_.placeholder, settings_.vectors, rows)) {
      for (auto& vector : tower) group.parameters.push_back(std::move(vector));
    }
    learned_ = group.parameters;
    return {std::move(group)};
  }

  void describe(const Photo&, Sample& sample, Draws& draws) override {
    const auto number = draws.below("template", static_cast<std::int64_t>(settings_.templates.size()));
    sample.caption = with_phrase(settings_.templates[static_cast<std::size_t>(number)], settings_.placeholder);
  }

  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws&) override {
    StepTensors tensors;
    put_prompts(tensors, *session_, "caption", captions(samples));
    return tensors;
  }

  // Gal et al. 2022, Eq. 2: E ‖ε − ε_θ(z_t, t, c(v*))‖², here as the mean over elements.
  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    const TextCondition text = session_->encode(prompt_ids(tensors, "caption"));
    return diffusion_terms(predict(*session_, batch, text), batch);
  }

  void save(ArtifactWriter& writer) const override {
    for (const auto& [name, vector] : learned_) writer.tensor(name, vector);
    writer.note("placeholder_token", settings_.placeholder);
    writer.note("initializer_token", settings_.initializer);
  }

 private:
  const Settings settings_;
  Session* session_ = nullptr;  // outlives the stage
  std::vector<Parameter> learned_;
};

class TextualInversion final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                                             const PromptLists& lists) const override {
    return name == kStage ? std::make_unique<EmbeddingStage>(read_settings(options, subject, lists)) : nullptr;
  }

  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override {
    require_full_weight(weight, "textual_inversion", "a token is a row, not a change of weights");
    for (const auto& token : require_tokens(artifact, "textual_inversion"))
      apply_token(session, artifact.tensors, token, "textual_inversion");
  }

  [[nodiscard]] std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                       const ModuleNames&) const override {
    return {token_file(artifact.tensors, require_tokens(artifact, "textual_inversion").front())};
  }
};

}  // namespace
}  // namespace atelier::textual_inversion

ATELIER_METHOD_PLUGIN("textual_inversion", atelier::textual_inversion::TextualInversion,
                      atelier::textual_inversion::make_spec)
