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

TrainIngredients ManifestBuilder::ingredients(const PlannedModel& model, const Cell& cell, std::size_t stage,
                                              const Json& inputs, std::int64_t steps) const {
  const StageSpec& spec = model.plugin->method.stages.at(stage);
  TrainIngredients in;
  in.method = model.method;
  in.stage = &spec;
  in.ordinal = static_cast<std::int64_t>(stage);
  in.options = read_options(model, spec);
  in.inputs = inputs;
  in.subject = model.subject;
  in.subject.erase("name");
  in.photos = photos_of(concepts_.at(cell.subject).photos, false);
  for (const std::string& list : spec.lists) in.lists[list] = sources_.prompts.list(list).digest;
  in.base = model.base->digest;
  in.numerics_class = numerics_class_;
  in.seed = cell.seed;
  if (any_holds(spec.depends_on_total_when, model.options)) in.total_steps = steps;
  return in;
}

std::int64_t ManifestBuilder::train_job(const PlannedModel& model, const TrainIngredients& in, std::int64_t steps,
                                        const PlannedClassImages& images, std::vector<std::int64_t> needs) {
  needs.insert(needs.end(), images.needs.begin(), images.needs.end());
  const std::string identity = key_of(train_description(in, -1));
  Json content = common_job(model);
  content["stage"] = in.stage->name;
  content["ordinal"] = in.ordinal;
  content["seed"] = in.seed;
  content["photos"] = photos_of(concepts_.at(model.subject.at("name").get<std::string>()).photos, true);
  content["lists"] = Json::object();
  for (const std::string& list : in.stage->lists) content["lists"][list] = sources_.prompts.list(list).prompts;
  content["inputs"] = in.inputs;
  if (!images.photos.empty()) content["class_photos"] = images.photos;
  if (!images.sets.empty()) content["class_sets"] = images.sets;
  content["steps"] = steps;
  content["snapshot"] = {{"every_steps", study_.snapshot.every_steps},
                         {"every_seconds", study_.snapshot.every_seconds}};
  if (study_.preview) content["preview"] = {{"every", study_.preview->every}, {"prompts", study_.preview->prompts}};
  if (study_.fixed_loss > 0) content["fixed_loss"] = study_.fixed_loss;
  Json& made = job(identity, "train", needs, model.base->digest, std::move(content));
  // Runs that differ in the total alone share the job; it knows the longest.
  if (made["job"]["steps"].get<std::int64_t>() < steps) {
    made["job"]["steps"] = steps;
    made["job"]["options"] = model.options;
  }
  return made.at("id").get<std::int64_t>();
}

std::string ManifestBuilder::train_output(std::int64_t index, const TrainIngredients& in, std::int64_t step) {
  const Json description = train_description(in, step);
  const std::string key = key_of(description);
  Json& outputs = jobs_.at(static_cast<std::size_t>(index)).at("outputs");
  const bool known = std::ranges::any_of(outputs, [&](const Json& output) { return output.at("key") == key; });
  if (!known) outputs.push_back({{"key", key}, {"description", description}, {"step", step}});
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
    TrainIngredients in = ingredients(model, cell, i, inputs, steps);
    in.class_images = images.ingredient;
    const std::int64_t index = train_job(model, in, steps, images, needs);
    const std::string key = train_output(index, in, std::clamp<std::int64_t>(checkpoint - before, 0, steps));
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
