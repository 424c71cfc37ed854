// Another program's pictures: `images:` of a study.
#include <fmt/format.h>

#include <filesystem>

#include "framework/config/path_template.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/manifest_builder.h"
#include "framework/plan/manifest_prompts.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// What was looked for and is not there, of all prompts of a concept.
struct Absent {
  std::vector<std::string> paths;
  std::vector<std::string> prompts;  // of each path, its text
  std::int64_t looked_for = 0;
};

/// One error a concept: pictures that are missing are mostly missing all together.
void refuse(const Absent& absent, const StudyMethod& method, const std::string& subject, const std::string& file) {
  if (absent.paths.empty()) return;
  throw Error(
      {.where = place_text(file, method.at) + ": " + method.label,
       .found = fmt::format("{} of {} pictures of {} are not there; the first is {}, of \"{}\"", absent.paths.size(),
                            absent.looked_for, subject, absent.paths.front(), absent.prompts.front()),
       .expected = "a PNG, JPEG or WebP for each prompt and each k from 0",
       .advice = fmt::format("make them, or leave the concept out for it: sweep: [{{exclude: {{method: {}, "
                             "concept: {}}}}}]",
                             method.label, subject)},
      ErrorKind::usage);
}

}  // namespace

void ManifestBuilder::add_given(const Cell& cell) {
  const auto& method = *std::ranges::find(study_.methods, cell.label, &StudyMethod::label);
  const bool seeded = PathTemplate(method.images, picture_path_fields()).has("seed");
  PlannedModel model;
  model.label = model.method = cell.label;
  model.subject = subject_of(cell);
  model.given = GivenPictures{
      .method = &method, .subject = cell.subject, .seed = seeded ? std::optional(cell.seed) : std::nullopt};
  add_run(model, cell.subject,
          {{"method", cell.label},
           {"concept", cell.subject},
           {"seed", seeded ? Json(cell.seed) : Json()},
           {"preset", ""},
           {"checkpoint", Json()},
           {"options", Json::object()},
           {"images", method.images},
           {"label", cell.label},
           {"row", {{"method", cell.label}}},
           {"train_jobs", Json::array()}});
}

PlannedPictures ManifestBuilder::given_pictures(const PlannedModel& model, const StudyEvaluation& evaluation,
                                                const Json& settings) {
  const Json& pictures = settings.at("pictures");
  const GivenPictures& given = *model.given;
  const PathTemplate place(given.method->images, picture_path_fields());
  Json content = common_job(model);
  content["seed"] = given.seed ? Json(*given.seed) : Json();
  const Json identity{{"label", model.label}, {"concept", given.subject}, {"seed", content["seed"]}};
  Json& taking = job(key_of({{"given", identity}}), "given", {}, "", std::move(content));
  PlannedPictures planned{.job = taking.at("id").get<std::int64_t>()};
  const auto count = pictures.at("images_per_prompt").get<std::int64_t>();
  Absent absent;
  for (const PromptPlace& prompt : prompts_for(model, evaluation, settings)) {
    Json files = Json::array(), digests = Json::array(), seeds = Json::array();
    for (std::int64_t k = 0; k < count; ++k) {
      const fs::path file = resolved_path(place.path({{"concept", given.subject},
                                                      {"prompt", prompt.id},
                                                      {"seed", std::to_string(given.seed.value_or(0))},
                                                      {"k", std::to_string(k)}}));
      ++absent.looked_for;
      if (!fs::is_regular_file(file)) {
        absent.paths.push_back(file.string());
        absent.prompts.push_back(filled(prompt.text, model.subject.at("class_word").get<std::string>()));
        continue;
      }
      const std::string digest = sources_.digests.digest(file);
      digests.push_back(digest);
      files.push_back({{"path", fs::absolute(file).lexically_normal().string()}, {"sha256", digest}});
      seeds.push_back(nullptr);
    }
    const auto text = filled(prompt.text, model.subject.at("class_word").get<std::string>());
    // The prompt is in it so that two prompts with the same pictures have a set each.
    Json description{
        {"kind", "given"}, {"framework", kFrameworkNumerics}, {"prompt", text}, {"images", std::move(digests)}};
    const std::string key = key_of(description);
    Json& outputs = taking.at("outputs");
    auto output = output_of(outputs, key);
    if (output == outputs.end()) {
      outputs.push_back({{"key", key},
                         {"description", std::move(description)},
                         {"prompt_id", prompt.id},
                         {"template", prompt.text},
                         {"text", text},
                         {"files", std::move(files)},
                         {"seeds", std::move(seeds)}});
      output = std::prev(outputs.end());
    }
    serve(*output, evaluation.name);
    add_set(planned, prompt, scored_text(prompt, evaluation, settings), key);
  }
  refuse(absent, *given.method, given.subject, study_.file);
  return planned;
}

}  // namespace atelier
