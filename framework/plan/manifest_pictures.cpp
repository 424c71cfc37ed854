#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/manifest_builder.h"
#include "framework/plan/manifest_prompts.h"
#include "framework/store/store.h"

namespace atelier {
const ProtocolSpec& ManifestBuilder::protocol(const std::string& id) {
  const auto found = read_protocols_.find(id);
  return found != read_protocols_.end() ? found->second : read_protocols_.emplace(id, read_protocol(id)).first->second;
}

const std::vector<std::int64_t>& ManifestBuilder::seeds_of(const std::string& text, std::int64_t count) {
  auto& seeds = seeds_[{text, count}];
  for (auto k = static_cast<std::int64_t>(seeds.size()); k < count; ++k) {
    seeds.push_back(picture_seed(study_.sample_seed, text, k));
  }
  return seeds;
}

std::string ManifestBuilder::place_of(const StudyEvaluation& evaluation) const {
  return fmt::format("{}: evaluate {}", place_text(study_.file, evaluation.at), evaluation.name);
}

std::vector<PromptPlace> ManifestBuilder::prompts_for(const PlannedModel& model, const StudyEvaluation& evaluation,
                                                      const Json& settings) const {
  const std::string subject = model.subject.at("name").get<std::string>();
  Json pictures = settings.at("pictures");
  for (Json& entry : pictures.at("prompts")) {
    if (!entry.contains("set")) continue;
    const std::string& set = concepts_.at(subject).folder.facts.prompt_set;
    const std::string id = entry.at("set").get<std::string>() + "/" + set;
    if (set.empty() || !sources_.prompts.contains(id)) {
      throw Error({.where = place_of(evaluation),
                   .found = set.empty() ? fmt::format("the concept {} without prompt_set", subject)
                                        : fmt::format("the prompt_set {} of {}, for which there is no list {}", set,
                                                      subject, id),
                   .expected = fmt::format("a list of {}", entry.at("set").get<std::string>()),
                   .advice = "say prompt_set in the concept's concept.yaml, or give the evaluation `prompts`"},
                  ErrorKind::usage);
    }
    entry["list"] = id;
  }
  return prompts_of(sources_.prompts, pictures, model.subject.at("kind").get<std::string>());
}

std::string ManifestBuilder::scored_text(const PromptPlace& place, const StudyEvaluation& evaluation,
                                         const Json& settings) const {
  if (const auto text = place.scored(settings.at("scoring").at("text_rule").get<std::string>())) return *text;
  throw Error({.where = place_of(evaluation),
               .found = fmt::format("the prompt list {} without edit phrases", place.id.substr(0, place.id.rfind('/'))),
               .expected = "a list that says what each prompt asks for beside the concept",
               .advice = "take catversion/evaluation, dreambooth/evaluation_object or another list with `edits`"},
              ErrorKind::usage);
}

/// A protocol with what the study changed in it: pictures and scoring.
Json ManifestBuilder::protocol_settings(const StudyEvaluation& evaluation) {
  const ProtocolSpec& spec = protocol(evaluation.protocol);
  Json settings{{"id", spec.id}, {"title", spec.title}, {"pictures", spec.pictures}, {"scoring", spec.scoring}};
  settings["reduction"] = spec.reduction;
  choose_encoders(evaluation, settings["scoring"]);
  if (evaluation.images) settings["pictures"]["images_per_prompt"] = *evaluation.images;
  if (!evaluation.prompts.empty()) {
    Json lists = Json::array();
    for (const Json& entry : spec.pictures.at("prompts")) {
      if (entry.at("role") == "reconstruction") lists.push_back(entry);
    }
    const Json role = spec.pictures.at("prompts").back().at("role");
    lists.push_back({{"list", evaluation.prompts}, {"role", role == "reconstruction" ? Json("edit") : role}});
    settings["pictures"]["prompts"] = lists;
  }
  Json changes = evaluation.overrides;
  if (!spec.masks.is_null()) {
    settings["masks"] = spec.masks;
    change_masks(settings["masks"], changes, place_of(evaluation));
  }
  change_scoring(settings["scoring"], changes, place_of(evaluation));
  settings["changed"] = {{"images_per_prompt", evaluation.images ? Json(*evaluation.images) : Json()},
                         {"prompts", evaluation.prompts.empty() ? Json() : Json(evaluation.prompts)},
                         {"encoders", evaluation.encoders.empty() ? Json() : Json(join(evaluation.encoders, "+"))},
                         {"size", evaluation.size ? Json(*evaluation.size) : Json()},
                         {"settings", evaluation.overrides}};
  return settings;
}

void ManifestBuilder::choose_encoders(const StudyEvaluation& evaluation, Json& scoring) const {
  if (evaluation.encoders.empty()) return;
  Json chosen = Json::object();
  std::vector<std::string> known;
  for (const auto& [role, use] : scoring.at("encoders").items()) known.push_back(role);
  for (const std::string& role : evaluation.encoders) {
    if (std::ranges::count(known, role) > 0) {
      chosen[role] = scoring.at("encoders").at(role);
      continue;
    }
    throw Error({.where = place_of(evaluation) + ": encoders",
                 .found = fmt::format("\"{}\"", role),
                 .expected = "some of the protocol's: " + join(known)},
                ErrorKind::usage);
  }
  scoring["encoders"] = std::move(chosen);
}

Json ManifestBuilder::encoders_of(const StudyEvaluation& evaluation, const ProtocolSpec& protocol) const {
  Json encoders = Json::object();
  for (const auto& [role, entry] : protocol.encoders.items()) {
    if (!evaluation.encoders.empty() && std::ranges::count(evaluation.encoders, role) == 0) continue;
    const auto chosen = study_.encoders.find(role);
    const std::string name = chosen == study_.encoders.end() ? entry.at("model").get<std::string>() : chosen->second;
    try {
      encoders[role] = sources_.models.encoder(resolved_model(name));
    } catch (const Error& error) {
      throw Error({.where = fmt::format("{}: encoder {}", place_of(evaluation), role),
                   .found = error.what(),
                   .expected = "a folder with the encoder",
                   .advice = fmt::format("name it under `encoders: {{{}: …}}`", role)},
                  ErrorKind::usage);
    }
  }
  return encoders;
}

SampleIngredients ManifestBuilder::sampling_of(const PlannedModel& model, const StudyEvaluation& evaluation,
                                               const Json& pictures) const {
  SampleIngredients in;
  in.method = model.method;
  in.plugin_numerics = model.numerics;
  in.artifact = model.artifact;
  if (model.plugin != nullptr) in.options = phrase_options(model.plugin->method, model.options);
  in.base = model.base->digest;
  in.negative = pictures.value("negative", "");
  in.sampler = model.sampler.is_null() ? pictures.at("sampler") : model.sampler;
  in.size = evaluation.size.value_or(study_.size.value_or(model.base->size));
  in.batch = pictures.at("batch").get<std::int64_t>();
  in.numerics_class = numerics_class_;
  if (model.sampler.is_null()) change_sampler(in.sampler, study_.sampler);  // a common one holds for the anchors too
  if (model.guidance) in.sampler["guidance"] = *model.guidance;
  return in;
}

/// What tells apart the ways in which an evaluation's pictures are sampled, beside the artifact.
const PlannedSampling& ManifestBuilder::sampling_plan(const PlannedModel& model, const StudyEvaluation& evaluation,
                                                      const Json& settings) {
  const std::string& subject = model.subject.at("name").get_ref<const std::string&>();
  const auto place = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", evaluation.name, model.label, subject,
                                 model.base->digest, static_cast<const void*>(model.options.identity()),
                                 model.sampler.dump(), model.guidance ? *model.guidance : 0.0, model.numerics.dump());
  const auto [found, fresh] = samplings_.try_emplace(place);
  if (!fresh) return found->second;
  const Json& pictures = settings.at("pictures");
  const SampleIngredients in = sampling_of(model, evaluation, pictures);
  const bool of_class = shows_class(pictures);
  const std::string phrase = of_class ? model.subject.at("class_word").get<std::string>() : model.phrase;
  PlannedSampling& planned = found->second;
  planned.content = &shared_.part(
      {{"sampler", in.sampler}, {"size", {in.size, in.size}}, {"batch", in.batch}, {"negative", in.negative}});
  // The pictures of a run are one job, whichever protocols look at them.
  planned.identity = fmt::format("sample {}\n{}\n{}\n{}\n", in.method, in.base, model.phrase, planned.content->name);
  const auto count = pictures.at("images_per_prompt").get<std::int64_t>();
  for (const PromptPlace& at : prompts_for(model, evaluation, settings)) {
    SamplePrompt prompt{.id = at.id,
                        .text = at.text,
                        .filled = filled(at.text, phrase),
                        .base = filled(at.text, of_class ? phrase : model.base_phrase),
                        .seeds = seeds_of(at.text, count)};
    Json description = sample_description(in, prompt);
    description.erase("artifact");
    PlannedPictures sets;
    add_set(sets, at, scored_text(at, evaluation, settings), "");
    changed_prompts_[evaluation.name].merge(sets.changed);
    planned.prompts.push_back({.output = {{"prompt_id", at.id},
                                          {"template", at.text},
                                          {"text", prompt.filled},
                                          {"base_text", prompt.base},
                                          {"seeds", prompt.seeds}},
                               .description = &shared_.part(description),
                               .set = std::move(sets.sets.front()),
                               .described = std::move(sets.described.front())});
  }
  return planned;
}

PlannedPictures ManifestBuilder::sampled_pictures(const PlannedModel& model, const StudyEvaluation& evaluation,
                                                  const Json& settings, const std::vector<std::int64_t>& needs) {
  const PlannedSampling& plan = sampling_plan(model, evaluation, settings);
  const std::string identity = plan.identity + model.artifact.dump();
  Json content{{"artifact", model.artifact}};
  Parts parts = common_parts(model);
  parts.push_back(plan.content);
  Json& sampling = job(identity, "sample", needs, model.base->digest, with_parts(parts, std::move(content)));
  PlannedPictures planned{.job = sampling.at("id").get<std::int64_t>()};
  Json& outputs = sampling.at("outputs");
  for (const PlannedSampling::Prompt& prompt : plan.prompts) {
    Json own{{"artifact", model.artifact}};
    const std::string key = key_of_parts({prompt.description}, own);
    auto output = output_of(outputs, key);
    if (output == outputs.end()) {
      Json made = prompt.output;
      made["key"] = key;
      made["description"] = with_parts({prompt.description}, std::move(own));
      outputs.push_back(std::move(made));
      output = std::prev(outputs.end());
    }
    serve(*output, evaluation.name);
    planned.sets.push_back(prompt.set);
    planned.sets.back()["key"] = key;
    planned.described.push_back(prompt.described);
    planned.described.back()["images"] = key;
  }
  return planned;
}

PlannedPictures ManifestBuilder::pictures_of(const PlannedModel& model, const StudyEvaluation& evaluation,
                                             const Json& settings, const std::vector<std::int64_t>& needs,
                                             bool beside) {
  if (model.given) return given_pictures(model, evaluation, settings);
  if (beside && model.method == "anchor:class_word") return base_pictures(model, evaluation, settings);
  return sampled_pictures(model, evaluation, settings, needs);
}

PlannedEvaluation& ManifestBuilder::evaluation_of(const StudyEvaluation& evaluation) {
  const auto [found, fresh] = evaluations_.try_emplace(evaluation.name);
  if (!fresh) return found->second;
  PlannedEvaluation& planned = found->second;
  planned.settings = protocol_settings(evaluation);
  planned.encoders = encoders_of(evaluation, protocol(evaluation.protocol));
  planned.encoder_digests = Json::object();
  for (const auto& [role, entry] : planned.encoders.items()) planned.encoder_digests[role] = entry.at("digest");
  return planned;
}

Json ManifestBuilder::protocols() const {
  Json protocols = Json::object();
  for (const auto& [name, evaluation] : evaluations_) {
    if (!evaluation.used) continue;
    Json& record = protocols[name] = evaluation.settings;
    record["encoders"] = evaluation.encoder_digests;
    if (!evaluation.masks.is_null()) record["masks"] = evaluation.masks;
    const auto changed = changed_prompts_.find(name);
    record["changes_appearance"] = changed == changed_prompts_.end() ? std::set<std::string>() : changed->second;
  }
  return protocols;
}

/// Of a score's description and content, what does not depend on the pictures.
std::pair<const SharedPart*, const SharedPart*> ManifestBuilder::scoring_parts(const PlannedModel& model,
                                                                               const std::string& subject,
                                                                               const StudyEvaluation& evaluation) {
  const Json& word = model.subject.at("class_word");
  const auto [found, fresh] =
      scorings_.try_emplace(fmt::format("{}\n{}\n{}", evaluation.name, subject, word.get_ref<const std::string&>()));
  if (!fresh) return found->second;
  const PlannedEvaluation& planned = evaluation_of(evaluation);
  Json references = Json::array(), digests = Json::array();
  for (const ConceptPhoto& photo : concepts_.at(subject).photos) {
    references.push_back({{"path", std::filesystem::absolute(photo.path).lexically_normal().string()},
                          {"sha256", photo.sha256},
                          {"name", photo.name}});
    digests.push_back(photo.sha256);
  }
  Json scoring = planned.settings.at("scoring");
  scoring["id"] = evaluation.protocol;
  const Json description{{"kind", "score"},
                         {"framework", kFrameworkNumerics},
                         {"protocol", std::move(scoring)},
                         {"encoders", planned.encoder_digests},
                         {"references", std::move(digests)},
                         {"class_word", word},
                         {"numerics_class", numerics_class_}};
  const Json content{{"protocol", {{"id", evaluation.protocol}, {"scoring", planned.settings.at("scoring")}}},
                     {"encoders", planned.encoders},
                     {"references", std::move(references)}};
  found->second = {&shared_.part(description), &shared_.part(content)};
  return found->second;
}

void ManifestBuilder::evaluate(const PlannedModel& model, const std::string& subject, const StudyEvaluation& evaluation,
                               const std::string& run, const std::vector<std::int64_t>& needs) {
  PlannedEvaluation& planning = evaluation_of(evaluation);
  const Json& settings = planning.settings;
  const bool beside = compares_with_base(settings);
  // Another program's model draws nothing here, and without a concept in the prompt the base model is itself.
  if ((beside || shows_class(settings.at("pictures"))) && (model.given || model.method == "anchor:prompt_only")) return;
  planning.used = true;
  PlannedPictures planned = pictures_of(model, evaluation, settings, needs, beside);
  std::vector<std::int64_t> drawing{planned.job};
  const auto also = beside ? add_base_pictures(model, evaluation, settings, planned) : planned.job;
  if (also != planned.job) drawing.push_back(also);
  PlannedMasks masks;
  if (settings.contains("masks")) masks = masks_for(model, subject, evaluation, settings, planned);
  drawing.insert(drawing.end(), masks.needs.begin(), masks.needs.end());
  for (const auto each : drawing) use(each, run);
  changed_prompts_[evaluation.name].merge(planned.changed);
  if (!masks.record.is_null()) planning.masks = std::move(masks.record);

  const auto [description, content] = scoring_parts(model, subject, evaluation);
  Json own{{"sets", std::move(planned.described)}};
  if (!masks.photos.is_null()) own["masks"] = masks.photos;
  const std::string key = key_of_parts({description}, own);
  Json score{{"plugin", nullptr}, {"sets", std::move(planned.sets)}};
  if (!masks.photos.is_null()) score["reference_masks"] = masks.photos;
  Parts parts = common_parts(model);
  parts.push_back(content);
  Json& scored =
      job(key, "score", drawing, model.base == nullptr ? "" : model.base->digest, with_parts(parts, std::move(score)));
  if (scored.at("outputs").empty()) {
    scored["outputs"].push_back({{"key", key}, {"description", with_parts({description}, std::move(own))}});
  }
  serve(*output_of(scored["outputs"], key), evaluation.name);
  use(scored.at("id").get<std::int64_t>(), run);
}

}  // namespace atelier
