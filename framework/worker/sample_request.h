#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/formats/checkpoint.h"
#include "framework/worker/edit_request.h"
#include "framework/worker/job.h"
#include "framework/worker/picture_sampler.h"

namespace atelier::worker {

/// What `atelier sample` was asked for.
struct SampleRequest {
  struct ArtifactFile {
    std::string path;
    double weight = 1.0;
  };

  std::vector<std::string> prompts;
  std::vector<ArtifactFile> artifacts;
  Json artifact_settings = Json::object();  ///< what a method's own files do not say
  std::optional<std::string> placeholder, class_word, negative, base_prompt;
  std::int64_t images = 1;
  std::int64_t seed = 0;
  std::int64_t steps = 50;
  std::int64_t batch = 1;
  double guidance = 7.5;
  double lora_scale = 1.0;
  std::optional<double> reward_guidance;
  std::optional<std::string> scheduler;  ///< empty: the one that the model's folder names
  Json scheduler_settings;
  std::optional<std::pair<std::int64_t, std::int64_t>> size;  ///< width, height
  std::optional<std::string> latents_in, latents_out;
  std::optional<std::int64_t> preview_every;
  std::vector<std::string> attention_words;  ///< whose maps are written
  std::optional<EditRequest> edit;           ///< of the only prompt
  bool json = false;

  [[nodiscard]] static SampleRequest from(const Job& job);
  /// `{}` in the prompts, edited prompts and attention words replaced by the phrase of the concept. Throws a usage
  /// Error when a prompt has `{}` and there is no phrase.
  [[nodiscard]] SampleRequest with_phrase(const std::string& phrase) const;
  /// How its pictures are made. The request must have a size, and outlive the plan.
  [[nodiscard]] SamplingPlan plan() const;
};

/// The model that a job names: a path, a name of models.yaml, or a repository of the Hugging Face cache.
[[nodiscard]] Checkpoint open_checkpoint(const Job& job);

}  // namespace atelier::worker
