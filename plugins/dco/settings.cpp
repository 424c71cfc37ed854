#include "plugins/dco/settings.h"

#include "framework/methods/stage_settings.h"
#include "plugins/dco/spec.h"

namespace atelier::dco {
namespace {

DataSpec data_spec(const Options& options) {
  DataSpec data;
  data.recipe.transform = {.size = static_cast<int>(options.integer("resolution")),
                           .method = ResizeMethod::pil_bilinear};
  data.recipe.random_crop = !options.flag("center_crop");
  data.drop_last = false;
  return data;
}

/// The value, or what stands for an absent one and for 0.
double or_else(std::optional<double> value, double fallback) { return value.value_or(0.0) == 0.0 ? fallback : *value; }

TokenSettings token_settings(const Options& options, const Concept& subject, const Settings& settings) {
  return {.placeholder = options.text("placeholder_token"),
          .initializer = read_initializer(options, subject),
          .own_norm = options.text("random_norm") == "own",
          .update = options.text("ti_update"),
          .learning_rate = or_else(options.real("text_encoder_lr"), settings.learning_rate),
          .weight_decay = or_else(options.optional_real("adam_weight_decay_text_encoder"), settings.weight_decay),
          .clipped = settings.train.max_grad_norm > 0.0};
}

}  // namespace

Settings Settings::read(const std::string& stage, const Options& options, const Concept& subject) {
  Settings settings;
  settings.class_word = subject.class_word;
  settings.phrase = subject.class_word;
  settings.instance_prompt = options.text("instance_prompt");
  settings.rank = options.integer("rank");
  settings.loss = {.beta = options.real("dcoloss_beta"),
                   .per_sample = options.text("sigmoid_reduction") == "per_sample",
                   .snr_gamma = options.optional_real("snr_gamma")};
  settings.data = data_spec(options);
  settings.train = read_train_spec(options, stage, kSteps);
  settings.train.offset_noise = options.real("offset_noise");
  settings.learning_rate = read_learning_rate(options, stage);
  settings.weight_decay = read_weight_decay(options, stage);
  if (stage != kSubjectStage) return settings;
  settings.token = token_settings(options, subject, settings);
  settings.phrase = settings.token->placeholder;
  settings.pool_at_eos = options.text("pool") == "eos";
  return settings;
}

}  // namespace atelier::dco
