#include "framework/worker/sample_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/formats/model_locator.h"

namespace atelier::worker {
namespace {

std::vector<SampleRequest::ArtifactFile> artifacts_of(const Job& job) {
  std::vector<SampleRequest::ArtifactFile> files;
  const Json* artifacts = job.find("artifacts");
  if (artifacts == nullptr) return files;
  for (const Json& artifact : *artifacts) {
    const Job entry(artifact);
    files.push_back({.path = entry.text("path"), .weight = entry.optional_number("weight").value_or(1.0)});
  }
  return files;
}

}  // namespace

SampleRequest SampleRequest::from(const Job& job) {
  SampleRequest request;
  request.prompts = job.texts("prompts");
  request.artifacts = artifacts_of(job);
  if (const Json* given = job.find("artifact_settings")) request.artifact_settings = *given;
  request.placeholder = job.optional_text("placeholder");
  request.class_word = job.optional_text("class_word");
  request.negative = job.optional_text("negative");
  request.base_prompt = job.optional_text("base_prompt");
  request.images = job.integer("images");
  request.seed = job.integer("seed");
  request.steps = job.integer("steps");
  request.batch = job.optional_integer("batch").value_or(1);
  request.guidance = job.number("guidance");
  request.lora_scale = job.optional_number("lora_scale").value_or(1.0);
  request.reward_guidance = job.optional_number("reward_guidance");
  request.scheduler = job.optional_text("scheduler");
  const Json* settings = job.find("scheduler_set");
  request.scheduler_settings = settings != nullptr ? *settings : Json::object();
  request.size = job.optional_size("size");
  request.latents_in = job.optional_text("latents_in");
  request.latents_out = job.optional_text("latents_out");
  request.preview_every = job.optional_integer("preview_every");
  if (job.find("attention_maps") != nullptr) request.attention_words = job.texts("attention_maps");
  request.edit = EditRequest::from(job);
  request.json = job.flag("json");
  if (request.prompts.empty() || request.images < 1 || request.batch < 1 || request.steps < 1) {
    throw Error({.where = "job: prompts, images, batch, steps",
                 .found = "nothing to sample",
                 .expected = "at least one of each"},
                ErrorKind::usage);
  }
  if (request.edit && request.prompts.size() != 1) {
    throw Error({.where = "--edit",
                 .found = fmt::format("{} prompts", request.prompts.size()),
                 .expected = "one: the source of the edits"},
                ErrorKind::usage);
  }
  return request;
}

SampleRequest SampleRequest::with_phrase(const std::string& phrase) const {
  SampleRequest filled = *this;
  const auto fill = [&](std::string& prompt) {
    for (auto at = prompt.find("{}"); at != std::string::npos; at = prompt.find("{}", at + phrase.size())) {
      if (phrase.empty()) {
        throw Error({.where = fmt::format("prompt \"{}\"", prompt),
                     .found = "{} without a concept to put in",
                     .expected = "a prompt without {}, or a concept",
                     .advice = "give --artifact with a learned token, --placeholder or --class"},
                    ErrorKind::usage);
      }
      prompt.replace(at, 2, phrase);
    }
  };
  std::ranges::for_each(filled.prompts, fill);
  std::ranges::for_each(filled.attention_words, fill);
  if (filled.edit) std::ranges::for_each(filled.edit->prompts, fill);
  return filled;
}

SamplingPlan SampleRequest::plan() const {
  const auto [width, height] = size.value();
  return {.scheduler = scheduler, .settings = &scheduler_settings, .steps = steps, .width = width, .height = height};
}

Checkpoint open_checkpoint(const Job& job) {
  ModelLocation location = locate_model(job.text("model"));
  if (const auto variant = job.optional_text("variant")) location.variant = *variant;
  if (const auto config = job.optional_text("model_config")) location.model_config = *config;
  if (job.flag("allow_pickle")) location.allow_pickle = true;
  return Checkpoint::open(location);
}

}  // namespace atelier::worker
