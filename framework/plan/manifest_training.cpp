#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/plan/manifest_builder.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

Json photos_of(const std::vector<ConceptPhoto>& photos, bool with_paths) {
  Json all = Json::array();
  for (const ConceptPhoto& photo : photos) {
    Json entry{{"sha256", photo.sha256}, {"caption", photo.caption}, {"base_caption", photo.base_caption}};
    if (with_paths) entry["path"] = std::filesystem::absolute(photo.path).lexically_normal().string();
    all.push_back(std::move(entry));
  }
  return all;
}

bool any_holds(const std::vector<Condition>& conditions, const Json& options) {
  return std::ranges::any_of(conditions, [&](const Condition& condition) { return holds(condition, options); });
}

}  // namespace

/// The options that decide a stage's results; a file counts by its content.
Json ManifestBuilder::read_options(const PlannedModel& model, const StageSpec& stage) const {
  Json read = Json::object();
  for (const std::string& name : stage_key_options(model.plugin->method, stage, model.options)) {
    const Json& value = model.options.at(name);
    const OptionSpec* option = find_option(model.plugin->method, name);
    const bool file = option != nullptr && option->type == OptionType::file && value.is_string();
    if (file) {
      read[name]["sha256"] = file_digest(model, name, value.get<std::string>());
    } else {
      read[name] = value;
    }
  }
  return read;
}

std::string ManifestBuilder::file_digest(const PlannedModel& model, const std::string& option,
                                         const std::string& file) const {
  try {
    return sources_.digests.digest(file);
  } catch (const Error& error) {
    const auto& places = std::ranges::find(study_.methods, model.label, &StudyMethod::label)->option_places;
    const auto place = places.find(option);
    if (place == places.end()) throw;  // a sweep's
    throw Error({.where = place_text(study_.file, place->second), .found = error.what()}, ErrorKind::usage);
  }
}

TrainIngredients ManifestBuilder::ingredients(const PlannedModel& model, const Cell& cell, std::size_t stage) const {
  const StageSpec& spec = model.plugin->method.stages.at(stage);
  TrainIngredients in;
  in.method = model.method;
  in.stage = &spec;
  in.ordinal = static_cast<std::int64_t>(stage);
  in.subject = model.subject;
  in.subject.erase("name");
  in.photos = photos_of(concepts_.at(cell.subject).photos, false);
  for (const std::string& list : spec.lists) in.lists[list] = sources_.prompts.list(list).digest;
  in.base = model.base->digest;
  in.numerics_class = numerics_class_;
  return in;
}

const PlannedStage& ManifestBuilder::stage_of(const PlannedModel& model, const Cell& cell, std::size_t stage) {
  const auto [found, fresh] = stages_.try_emplace(fmt::format("{}\n{}\n{}", model.label, cell.subject, stage));
  if (!fresh) return found->second;
  const TrainIngredients in = ingredients(model, cell, stage);
  Json description = train_description(in, 0);
  for (const char* own : {"options", "inputs", "seed", "step"}) description.erase(own);
  Json content{
      {"stage", in.stage->name},
      {"ordinal", in.ordinal},
      {"photos", photos_of(concepts_.at(cell.subject).photos, true)},
      {"lists", Json::object()},
      {"snapshot", {{"every_steps", study_.snapshot.every_steps}, {"every_seconds", study_.snapshot.every_seconds}}}};
  for (const std::string& list : in.stage->lists) content["lists"][list] = sources_.prompts.list(list).prompts;
  if (study_.preview) content["preview"] = {{"every", study_.preview->every}, {"prompts", study_.preview->prompts}};
  if (study_.fixed_loss > 0) content["fixed_loss"] = study_.fixed_loss;
  found->second = {.description = &shared_.part(description), .content = &shared_.part(content)};
  return found->second;
}

const SharedPart& ManifestBuilder::read_part(const PlannedModel& model, const StageSpec& stage) {
  const auto [found, fresh] = read_.try_emplace({&stage, model.options.identity()});
  if (fresh) found->second = &shared_.part({{"options", read_options(model, stage)}});
  return *found->second;
}

std::int64_t ManifestBuilder::train_job(const PlannedModel& model, const PlannedStage& stage, const Parts& description,
                                        const Json& own, std::int64_t steps, const PlannedClassImages& images,
                                        std::vector<std::int64_t> needs) {
  needs.insert(needs.end(), images.needs.begin(), images.needs.end());
  Json content{{"seed", own.at("seed")}, {"inputs", own.at("inputs")}};
  std::string identity = "train " + own.dump();
  for (const SharedPart* part : description) identity += " " + part->name;
  if (!images.photos.empty()) content["class_photos"] = images.photos;
  if (!images.sets.empty()) content["class_sets"] = images.sets;
  content["steps"] = steps;
  Parts parts = common_parts(model);
  parts.push_back(stage.content);
  content = with_parts(parts, std::move(content));
  Json names = content.at("shared");
  Json& made = job(identity, "train", needs, model.base->digest, std::move(content));
  // Runs that differ in the total alone share the job; it knows the longest.
  if (made["job"]["steps"].get<std::int64_t>() < steps) {
    made["job"]["steps"] = steps;
    made["job"]["shared"] = std::move(names);
  }
  return made.at("id").get<std::int64_t>();
}

std::string ManifestBuilder::train_output(std::int64_t index, const Parts& description, Json own, std::int64_t step) {
  own["step"] = step;
  const std::string key = key_of_parts(description, own);
  Json& outputs = jobs_.at(static_cast<std::size_t>(index)).at("outputs");
  const bool known = std::ranges::any_of(outputs, [&](const Json& output) { return output.at("key") == key; });
  if (!known)
    outputs.push_back({{"key", key}, {"description", with_parts(description, std::move(own))}, {"step", step}});
  return key;
}

void ManifestBuilder::plan_training(PlannedModel& model, const Cell& cell, std::int64_t checkpoint,
                                    std::vector<std::int64_t>& jobs) {
  const auto& stages = model.plugin->method.stages;
  std::map<std::string, std::pair<std::string, std::int64_t>> published;  // stage -> its last key and job
  std::int64_t before = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StageSpec& stage = stages[i];
    if (!hold(stage.runs_when, cell.options)) continue;
    const std::int64_t steps = stage_steps(stage, cell.options);
    // A checkpoint on the border belongs to the stage that ends there.
    const bool reached = !published.empty() && checkpoint <= before;
    if (reached) break;
    Json inputs = Json::object();
    std::vector<std::int64_t> needs;
    for (const std::string& input : stage.inputs) {
      const auto found = published.find(input);
      if (found == published.end()) continue;
      inputs[input] = found->second.first;
      needs.push_back(found->second.second);
    }
    const PlannedClassImages images = class_images(model, cell, stage);
    jobs.insert(jobs.end(), images.needs.begin(), images.needs.end());
    const PlannedStage& planned = stage_of(model, cell, i);
    const Parts description{planned.description, &read_part(model, stage)};
    Json own{{"inputs", std::move(inputs)}, {"seed", cell.seed}};
    if (any_holds(stage.depends_on_total_when, model.options)) own["total_steps"] = steps;
    if (!images.ingredient.is_null()) own["class_images"] = images.ingredient;
    const std::int64_t index = train_job(model, planned, description, own, steps, images, std::move(needs));
    const std::string key =
        train_output(index, description, std::move(own), std::clamp<std::int64_t>(checkpoint - before, 0, steps));
    published[stage.name] = {key, index};
    jobs.push_back(index);
    model.artifact = key;
    model.artifacts.push_back(key);
    model.numerics = stage.numerics;
    model.train_job = index;
    before += steps;
  }
}

}  // namespace atelier
