#include "framework/worker/train_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"

namespace atelier::worker {
namespace {

[[noreturn]] void refuse(const std::string& key, const Json* found, const char* expected) {
  throw Error({.where = "job: " + key, .found = found == nullptr ? "nothing" : found->dump(), .expected = expected},
              ErrorKind::usage);
}

const Json& member(const Job& job, const char* key, Json::value_t type, const char* expected) {
  const Json* found = job.find(key);
  if (found == nullptr || found->type() != type) refuse(key, found, expected);
  return *found;
}

Concept subject_of(const Job& job) {
  const Job fields(member(job, "concept", Json::value_t::object, "an object"));
  return {.name = fields.optional_text("name").value_or(""),
          .class_word = fields.optional_text("class_word").value_or(""),
          .initializer = fields.optional_text("initializer").value_or(""),
          .kind = fields.optional_text("kind").value_or("object")};
}

std::vector<Photo> photos_of(const Job& job, const char* key, bool of_class) {
  std::vector<Photo> photos;
  const Json* entries = job.find(key);
  if (entries == nullptr) return photos;
  if (!entries->is_array()) refuse(key, entries, "a list of photos");
  for (const Json& entry : *entries) {
    const Job fields(entry);
    photos.push_back({.path = fields.text("path"),
                      .caption = fields.optional_text("caption").value_or(""),
                      .base_caption = fields.optional_text("base_caption").value_or(""),
                      .of_class = of_class});
  }
  return photos;
}

PromptLists lists_of(const Job& job) {
  PromptLists lists;
  const Json* json = job.find("lists");
  if (json == nullptr) return lists;
  if (!json->is_object()) refuse("lists", json, "an object of lists");
  const Job fields(*json);
  for (const auto& [id, list] : json->items()) lists[id] = fields.texts(id.c_str());
  return lists;
}

std::map<std::string, std::string> inputs_of(const Job& job) {
  std::map<std::string, std::string> inputs;
  const Json* json = job.find("inputs");
  if (json == nullptr) return inputs;
  if (!json->is_object()) refuse("inputs", json, "an object of keys");
  const Job fields(*json);
  for (const auto& [name, key] : json->items()) inputs[name] = fields.text(name.c_str());
  return inputs;
}

std::optional<PreviewRequest> preview_of(const Job& job) {
  const Json* json = job.find("preview");
  if (json == nullptr) return std::nullopt;
  if (!json->is_object()) refuse("preview", json, "every and prompts");
  const Job fields(*json);
  PreviewRequest preview{.every = fields.integer("every"), .prompts = fields.texts("prompts")};
  if (preview.every < 1) refuse("preview: every", fields.find("every"), "at least 1");
  return preview;
}

}  // namespace

std::int64_t TrainRequest::step_of(const JobOutput& output) const {
  const auto step = Job(output.job).integer("step");
  if (step >= 0 && step <= steps) return step;
  throw Error({.where = "job: outputs: step",
               .found = std::to_string(step),
               .expected = fmt::format("0 to {}, the steps of the stage", steps)},
              ErrorKind::usage);
}

std::set<std::int64_t> TrainRequest::steps_wanted(const std::vector<JobOutput>& outputs) const {
  std::set<std::int64_t> wanted;
  for (const JobOutput& output : outputs) wanted.insert(step_of(output));
  return wanted;
}

TrainRequest TrainRequest::from(const JobRun& run) {
  const Job& job = run.job();
  TrainRequest request;
  request.stage = job.text("stage");
  request.ordinal = job.integer("ordinal");
  request.seed = static_cast<std::uint64_t>(job.integer("seed"));
  request.steps = job.integer("steps");
  request.options = member(job, "options", Json::value_t::object, "the method's resolved options");
  request.subject = subject_of(job);
  request.photos = photos_of(job, "photos", false);
  request.class_photos = photos_of(job, "class_photos", true);
  if (job.find("class_sets") != nullptr) request.class_sets = job.texts("class_sets");
  if (request.photos.empty()) refuse("photos", job.find("photos"), "at least one photo");
  request.lists = lists_of(job);
  request.inputs = inputs_of(job);
  request.preview = preview_of(job);
  request.fixed_loss = job.optional_integer("fixed_loss").value_or(0);
  if (request.fixed_loss < 0 || request.fixed_loss > 1000) refuse("fixed_loss", job.find("fixed_loss"), "0 to 1000");
  const auto last =
      std::ranges::max_element(run.outputs(), {}, [&](const JobOutput& output) { return request.step_of(output); });
  if (!run.again()) request.snapshot.path = run.store().snapshot_path(last->key);
  request.snapshot.key = last->key;
  if (const Json* policy = job.find("snapshot")) {
    request.snapshot.every_steps = Job(*policy).optional_integer("every_steps").value_or(0);
    request.snapshot.every_seconds = Job(*policy).optional_number("every_seconds").value_or(0.0);
  }
  return request;
}

}  // namespace atelier::worker
