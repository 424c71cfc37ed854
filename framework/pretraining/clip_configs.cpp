#include "framework/pretraining/clip_configs.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {

Json with_tokens(Json config, const ClipTokenizer& tokenizer, const std::string& where) {
  if (!config.contains("text_config") || !config["text_config"].is_object()) {
    throw Error({.where = where + ": text_config", .found = "nothing", .expected = "an object"});
  }
  Json& text = config["text_config"];
  const auto fill = [&](const char* key, std::int64_t value) {
    if (text.contains(key) && text[key] != value) {
      throw Error({.where = fmt::format("{}: text_config: {}", where, key),
                   .found = text[key].dump(),
                   .expected = fmt::format("{}, as the tokenizer has it", value),
                   .advice = "leave the key out: it is filled in"});
    }
    text[key] = value;
  };
  fill("vocab_size", tokenizer.vocab_size());
  fill("bos_token_id", tokenizer.bos_id());
  fill("eos_token_id", tokenizer.eos_id());
  fill("pad_token_id", tokenizer.pad_id());
  return config;
}

Json text_encoder_config(const Json& clip) {
  Json config = clip.at("text_config");
  config["architectures"] = {"CLIPTextModel"};
  config["model_type"] = "clip_text_model";
  config["projection_dim"] = clip.value("projection_dim", 512);
  return config;
}

Json clip_preprocessor(std::int64_t side) {
  return {{"crop_size", {{"height", side}, {"width", side}}},
          {"do_center_crop", true},
          {"do_convert_rgb", true},
          {"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"feature_extractor_type", "CLIPFeatureExtractor"},
          {"image_mean", {0.48145466, 0.4578275, 0.40821073}},
          {"image_processor_type", "CLIPImageProcessor"},
          {"image_std", {0.26862954, 0.26130258, 0.27577711}},
          {"resample", 3},
          {"rescale_factor", 1.0 / 255.0},
          {"size", {{"shortest_edge", side}}}};
}

}  // namespace atelier
