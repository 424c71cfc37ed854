#include "plugins/catversion/concat_stage.h"

#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/methods/artifact_checks.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "framework/methods/trainable.h"
#include "framework/models/clip_text.h"
#include "plugins/catversion/spec.h"

namespace atelier::catversion {
namespace {

std::string caption_of(const Options& options, const Concept& subject) {
  const auto caption = options.optional_text("caption").value_or(subject.class_word);
  if (!caption.empty() || options.flag("allow_empty_caption")) return caption;
  throw Error({.where = "caption",
               .found = "an empty caption",
               .expected = "the word of the concept's class",
               .advice = "give one, or set allow_empty_caption: the shipped list of captions holds one empty text"},
              ErrorKind::usage);
}

ResizeMethod resize_method(const std::string& interpolation) {
  return parse_resize_method("pil-" + interpolation, "interpolation");
}

DataSpec data_of(const Options& options) {
  DataSpec data;
  data.recipe.transform.size = static_cast<int>(options.integer("resolution"));
  data.recipe.transform.method = resize_method(options.text("interpolation"));
  data.recipe.transform.squash = true;
  data.recipe.transform.centre_square = options.flag("center_crop");
  data.recipe.flip_probability = options.real("flip_probability");
  data.recipe.exif = ExifRule::ignore;
  data.repeats = options.integer("repeats");
  data.drop_last = false;
  return data;
}

/// The published configuration's own name counts where it is given.
std::string rate_option(const Options& options) {
  return options.optional_real(kBaseRateOption) ? kBaseRate : "learning_rate";
}

}  // namespace

Settings Settings::read(const Options& options, const Concept& subject) {
  return {.caption = caption_of(options, subject),
          .prefix_length = options.integer("prefix_length"),
          .layers = options.integers("layers"),
          .prefix_logit_bias = options.real("prefix_logit_bias"),
          .data = data_of(options),
          .train = read_train_spec(options, kStage, kSteps),
          .learning_rate = read_learning_rate(options, kStage, rate_option(options)),
          .weight_decay = read_weight_decay(options, kStage)};
}

std::vector<ParamGroup> ConcatStage::attach(Session& session, const Start& start, Draws& draws) {
  require_one_encoder(session, "catversion", "nothing was published for SDXL");
  session_ = &session;
  const auto& encoder = session.text(0).config();
  form_ = {.length = settings_.prefix_length,
           .layers = count_layers(settings_.layers, encoder.layers, "layers"),
           .logit_bias = settings_.prefix_logit_bias,
           .width = encoder.width};
  const auto standard_normal = [&] { return draws.normal("control_trans", {form_.size()}); };
  prefix_ = {kControlTrans, trainable(session, start.value(kControlTrans, standard_normal))};
  ParamGroup group;
  group.name = "prefix";
  group.parameters = {prefix_};
  group.learning_rate = settings_.learning_rate;
  group.weight_decay = settings_.weight_decay;
  return {std::move(group)};
}

void ConcatStage::describe(const Photo&, Sample& sample, Draws&) { sample.caption = settings_.caption; }

StepTensors ConcatStage::per_step(const std::vector<Sample>& samples, Draws&) {
  StepTensors tensors;
  put_prompts(tensors, *session_, "caption", captions(samples));
  return tensors;
}

Terms ConcatStage::forward(const Batch& batch, const StepTensors& tensors) {
  put_prefix(*session_, form_, prefix_.tensor);  // views, made anew for each graph
  const TextCondition text = session_->encode(prompt_ids(tensors, "caption"));
  return diffusion_terms(predict(*session_, batch, text), batch);
}

void ConcatStage::save(ArtifactWriter& writer) const {
  writer.tensor(prefix_.name, prefix_.tensor);
  for (const auto& [key, text] : notes_of(form_)) writer.note(key, text);
  writer.note("caption", settings_.caption);
  writer.note("phrase", settings_.caption);
  writer.note("effective_learning_rate", fmt::format("{:.2e}", settings_.learning_rate));
}

}  // namespace atelier::catversion
