#include "plugins/custom_diffusion/settings.h"

#include "framework/core/error.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "plugins/custom_diffusion/spec.h"

namespace atelier::custom_diffusion {
namespace {

std::string phrase_of(const std::string& placeholder, const Concept& subject) {
  return subject.class_word.empty() ? placeholder : placeholder + " " + subject.class_word;
}

std::vector<std::string> list_of(const PromptLists& lists, const char* id) {
  const auto found = lists.find(id);
  if (found != lists.end() && !found->second.empty()) return found->second;
  throw Error({.where = id, .found = "no captions", .expected = "the list of what is said of scaled photos"});
}

/// Photos are squashed and scaled; images of the class are cut out as DreamBooth's.
DataSpec data_of(const Options& options) {
  DataSpec data;
  ImageRecipe recipe;
  recipe.transform = {.size = static_cast<int>(options.integer("resolution")), .method = ResizeMethod::pil_bilinear};
  recipe.flip_probability = options.flag("hflip") ? 0.5 : 0.0;
  recipe.exif = ExifRule::ignore;
  data.recipe = recipe;
  data.recipe.scale = PhotoScale{.random = options.flag("augment")};
  if (options.flag("with_prior_preservation")) {
    data.class_recipe = recipe;
    data.class_recipe->random_crop = !options.flag("center_crop");
  }
  data.drop_last = false;
  return data;
}

double learning_rate_of(const Options& options) {
  const bool twice = options.flag(std::string(kStage) + ".scale_lr") && options.flag("with_prior_preservation");
  return read_learning_rate(options, kStage) * (twice ? 2.0 : 1.0);
}

}  // namespace

Settings Settings::read(const Options& options, const Concept& subject, const PromptLists& lists) {
  Settings settings;
  settings.placeholder = options.text("placeholder_token");
  settings.initializer = read_initializer(options, subject);
  settings.instance_prompt = with_phrase(options.text("instance_prompt"), phrase_of(settings.placeholder, subject));
  settings.far_captions = list_of(lists, kFarCaptions);
  settings.near_captions = list_of(lists, kNearCaptions);
  settings.queries = options.text("freeze_model") == "crossattn";
  settings.detach_start_token = options.flag("detach_start_token");
  if (options.flag("with_prior_preservation")) {
    settings.class_prompt = with_phrase(options.text("class_prompt"), subject.class_word);
    settings.prior_weight = options.real("prior_loss_weight");
  }
  settings.data = data_of(options);
  settings.train = read_train_spec(options, kStage, kSteps);
  settings.learning_rate = learning_rate_of(options);
  settings.weight_decay = read_weight_decay(options, kStage);
  return settings;
}

}  // namespace atelier::custom_diffusion
