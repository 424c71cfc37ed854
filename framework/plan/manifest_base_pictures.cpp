// The base model's own pictures, which drift is measured against.
#include <fmt/format.h>

#include "framework/plan/manifest_builder.h"
#include "framework/plan/manifest_prompts.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

/// Reward guidance of a bare model is plain guidance.
Json plain_sampler(Json sampler) {
  sampler.erase("reward");
  return sampler;
}

}  // namespace

PlannedPictures ManifestBuilder::base_pictures(const PlannedModel& model, const StudyEvaluation& evaluation,
                                               const Json& settings) {
  const Json& pictures = settings.at("pictures");
  const SampleIngredients own = sampling_of(model, evaluation, pictures);
  const std::string word = shows_class(pictures) ? model.subject.at("class_word").get<std::string>() : "";
  ClassImageIngredients in{.base = own.base,
                           .prompt = {},
                           .sampler = plain_sampler(own.sampler),
                           .negative = own.negative,
                           .size = own.size,
                           .batch = own.batch,
                           .numerics_class = numerics_class_};
  PlannedModel bare;
  bare.base = model.base;
  bare.method = "base model";
  Json content = common_job(bare);
  content["prompt"] = word.empty() ? evaluation.name : fmt::format("{}, {}", evaluation.name, word);
  content["sampler"] = in.sampler;
  content["size"] = {in.size, in.size};
  content["batch"] = in.batch;
  content["negative"] = in.negative;
  const std::string identity = key_of({{"base pictures", class_images_description(in, {})}, {"word", word}});
  Json& drawing = job(identity, "generate", {}, model.base->digest, std::move(content));
  PlannedPictures planned{.job = drawing.at("id").get<std::int64_t>()};
  const auto count = pictures.at("images_per_prompt").get<std::int64_t>();
  for (const PromptPlace& place : prompts_for(model, evaluation, settings)) {
    in.prompt = filled(place.text, word);
    const auto& seeds = seeds_of(place.text, count);
    Json description = class_images_description(in, seeds);
    const std::string key = key_of(description);
    Json& outputs = drawing.at("outputs");
    auto output = output_of(outputs, key);
    if (output == outputs.end()) {
      outputs.push_back({{"key", key},
                         {"description", std::move(description)},
                         {"prompt_id", place.id},
                         {"template", place.text},
                         {"text", in.prompt},
                         {"seeds", seeds}});
      output = std::prev(outputs.end());
    }
    serve(*output, evaluation.name);
    add_set(planned, place, scored_text(place, evaluation, settings), key);
  }
  return planned;
}

std::int64_t ManifestBuilder::add_base_pictures(const PlannedModel& model, const StudyEvaluation& evaluation,
                                                const Json& settings, PlannedPictures& planned) {
  const PlannedPictures base = base_pictures(model, evaluation, settings);
  for (std::size_t i = 0; i < planned.sets.size(); ++i) {
    planned.sets[i]["beside"] = base.sets[i].at("key");
    planned.described[i]["beside"] = base.sets[i].at("key");
  }
  return base.job;
}

}  // namespace atelier
