#include "plugins/attndreambooth/settings.h"

#include "framework/core/error.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "plugins/attndreambooth/spec.h"

namespace atelier::attndreambooth {
namespace {

Settings::Trains trains_of(const std::string& stage) {
  if (stage == kEmbedding) return Settings::Trains::embedding;
  if (stage == kAttention) return Settings::Trains::attention;
  if (stage == kIdentity) return Settings::Trains::identity;
  throw Error({.where = "attndreambooth", .found = "stage " + stage, .expected = "embedding, attention or identity"});
}

/// Turned, resized by the shorter side, mirrored, cut: the order of the published program.
DataSpec data_spec(const Options& options) {
  DataSpec data;
  data.recipe.transform = {.size = static_cast<int>(options.integer("resolution")),
                           .method = ResizeMethod::pil_bilinear,
                           .flip_before_crop = true};
  data.recipe.rotate_probability = options.real("rotate_p");
  data.recipe.rotate_degrees = 45.0;
  data.recipe.flip_probability = options.real("flip_p");
  data.recipe.random_crop = !options.flag("center_crop");
  data.repeats = 100;
  data.drop_last = false;
  return data;
}

/// The loop divides every batch's loss by the number of accumulated ones. That makes the mean of the errors; the
/// regulariser, a sum over rows, is meant to be that of all of them.
RegularizerWeights regularizer_of(const Options& options, const std::string& stage, const TrainSpec& train) {
  if (!options.flag("with_cross_attn_reg")) return {};
  const double factor = options.text("reg_accumulation") == "logical" ? train.loss_divisor : 1.0;
  return {.mean = options.real(stage + ".reg_mean_weight") * factor,
          .var = options.real(stage + ".reg_var_weight") * factor};
}

}  // namespace

Settings Settings::read(const std::string& stage, const Options& options, const Concept& subject) {
  Settings settings;
  settings.trains = trains_of(stage);
  settings.placeholder = options.text("placeholder_token");
  settings.class_word = subject.class_word;
  settings.initializer = read_initializer(options, subject, "initialize_token");
  settings.vectors = options.integer("n_object_embedding");
  settings.instance_prompt =
      with_phrase(options.text("instance_prompt"), settings.placeholder + " " + subject.class_word);
  if (options.flag("with_prior_preservation")) {
    settings.class_prompt = with_phrase(options.text("class_prompt"), subject.class_word);
    settings.prior_weight = options.real("prior_loss_weight");
  }
  settings.data = data_spec(options);
  settings.train = read_train_spec(options, stage, stage + ".max_train_steps");
  settings.train.offset_noise = options.flag("offset_noise") ? 0.1 : 0.0;
  settings.regularizer = regularizer_of(options, stage, settings.train);
  settings.learning_rate = read_learning_rate(options, stage);
  settings.weight_decay = read_weight_decay(options, stage);
  return settings;
}

}  // namespace atelier::attndreambooth
