#include "plugins/dreambooth_lora/settings.h"

#include "framework/core/error.h"
#include "framework/image/resize.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "plugins/dreambooth_lora/spec.h"

namespace atelier::dreambooth_lora {
namespace {

std::string phrase_of(const Options& options, const Concept& subject) {
  const auto placeholder = options.text("placeholder_token");
  return subject.class_word.empty() ? placeholder : placeholder + " " + subject.class_word;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

/// "to_q, to_k" -> to_q and to_k.
std::vector<std::string> modules_of(const Options& options, const std::string& option) {
  std::vector<std::string> modules;
  const auto text = options.text(option);
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    if (auto module = trimmed(text.substr(begin, end - begin)); !module.empty()) modules.push_back(std::move(module));
    begin = end + 1;
  }
  if (!modules.empty()) return modules;
  throw Error({.where = option,
               .found = "\"" + text + "\"",
               .expected = "ends of layer names, separated by commas",
               .advice = "the published programs say to_q,to_k,to_v,to_out.0"},
              ErrorKind::usage);
}

AdapterSettings unet_of(const Options& options) {
  return {.modules = modules_of(options, "target_modules"),
          .learning_rate = read_learning_rate(options, kStage),
          .weight_decay = read_weight_decay(options, kStage)};
}

AdapterSettings text_of(const Options& options) {
  if (!options.flag("train_text_encoder")) return {};
  return {
      .modules = modules_of(options, "text_target_modules"),
      .learning_rate = options.optional_real("lora.text_encoder_lr").value_or(read_learning_rate(options, kStage)),
      .weight_decay =
          options.optional_real("lora.adam_weight_decay_text_encoder").value_or(read_weight_decay(options, kStage))};
}

std::optional<TokenSettings> token_of(const Options& options, const Concept& subject) {
  if (!options.flag("learn_token")) return std::nullopt;
  return TokenSettings{.placeholder = options.text("placeholder_token"),
                       .initializer = read_initializer(options, subject),
                       .learning_rate = options.real("lora.token_lr"),
                       .weight_decay = read_weight_decay(options, kStage)};
}

DataSpec data_of(const Options& options) {
  DataSpec data;
  data.recipe.transform = {
      .size = static_cast<int>(options.integer("resolution")),
      .method = parse_resize_method("pil-" + options.text("image_interpolation_mode"), "image_interpolation_mode")};
  data.recipe.random_crop = !options.flag("center_crop");
  data.recipe.flip_probability = options.flag("random_flip") ? 0.5 : 0.0;
  data.repeats = options.integer("repeats");
  data.drop_last = false;
  data.tells_photos = read_tells_photos(options);
  return data;
}

}  // namespace

Settings Settings::read(const Options& options, const Concept& subject) {
  Settings settings;
  settings.phrase = phrase_of(options, subject);
  settings.instance_prompt = with_phrase(options.text("instance_prompt"), settings.phrase);
  if (options.flag("with_prior_preservation")) {
    settings.class_prompt = with_phrase(options.text("class_prompt"), subject.class_word);
    settings.prior_weight = options.real("prior_loss_weight");
  }
  settings.rank = options.integer("rank");
  settings.alpha = options.optional_real("lora_alpha").value_or(static_cast<double>(settings.rank));
  settings.unet = unet_of(options);
  settings.text = text_of(options);
  settings.token = token_of(options, subject);
  settings.snr_gamma = options.optional_real("snr_gamma");
  settings.data = data_of(options);
  settings.train = read_train_spec(options, kStage, kSteps);
  return settings;
}

}  // namespace atelier::dreambooth_lora
