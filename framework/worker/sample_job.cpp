#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/session.h"
#include "framework/worker/artifact_object.h"
#include "framework/worker/image_set.h"
#include "framework/worker/method_of_job.h"
#include "framework/worker/picture_sampler.h"
#include "framework/worker/prompt_branches.h"
#include "framework/worker/stage_jobs.h"

namespace atelier::worker {
namespace {

constexpr std::int64_t kMostRows = 4096;

/// What a sample job says once for all its prompts.
struct SampleSettings {
  SamplingPlan plan;
  double guidance = 7.5;
  std::optional<double> reward;
  std::string negative;
  std::int64_t batch = 1;
};

const Json& object_of(const Job& job, const char* key) {
  const Json* found = job.find(key);
  if (found != nullptr && found->is_object()) return *found;
  throw Error({.where = fmt::format("job: {}", key), .found = "nothing", .expected = "an object"}, ErrorKind::usage);
}

/// Borrows the job's JSON.
SampleSettings settings_of(const Job& job, Session& session) {
  const Job sampler(object_of(job, "sampler"));
  const auto [width, height] = picture_size(session, job.optional_size("size"));
  SampleSettings settings{.plan = {.scheduler = sampler.optional_text("scheduler"),
                                   .settings = sampler.find("settings"),
                                   .steps = sampler.integer("steps"),
                                   .width = width,
                                   .height = height},
                          .guidance = sampler.number("guidance"),
                          .reward = sampler.optional_number("reward"),
                          .negative = job.optional_text("negative").value_or(""),
                          .batch = job.integer("batch")};
  if (settings.batch < 1 || settings.batch > kMostRows) {
    throw Error(
        {.where = "job: batch", .found = std::to_string(settings.batch), .expected = fmt::format("1 to {}", kMostRows)},
        ErrorKind::usage);
  }
  return settings;
}

std::vector<std::uint64_t> seeds_of(const JobOutput& output) {
  const Json seeds = output.job.value("seeds", Json());
  const auto whole = [](const Json& seed) {
    return seed.is_number_unsigned() || (seed.is_number_integer() && seed >= 0);
  };
  if (!seeds.is_array() || seeds.empty() || !std::ranges::all_of(seeds, whole)) {
    throw Error({.where = "job: seeds", .found = seeds.dump(), .expected = "a list of integers from 0"},
                ErrorKind::usage);
  }
  return seeds.get<std::vector<std::uint64_t>>();
}

/// The pictures of a job, prompt by prompt.
class SetSampler {
 public:
  SetSampler(JobRun& run, Session& session, const Method& method, const SampleSettings& settings)
      : run_(run), session_(session), method_(method), settings_(settings), sampler_(session, settings.plan) {
    for (const JobOutput& output : run.missing()) {
      total_ +=
          batches(static_cast<std::int64_t>(seeds_of(output).size())) * static_cast<std::int64_t>(sampler_.calls());
    }
  }

  /// Samples, stores and publishes one prompt's pictures.
  void make(const JobOutput& output);

 private:
  [[nodiscard]] std::int64_t batches(std::int64_t seeds) const {
    return (seeds + settings_.batch - 1) / settings_.batch;
  }
  [[nodiscard]] std::vector<Branch> branches(const JobOutput& output);
  [[nodiscard]] Tensor batch(const std::vector<Branch>& branches, std::span<const std::uint64_t> seeds);

  JobRun& run_;
  Session& session_;
  const Method& method_;
  const SampleSettings& settings_;
  PictureSampler sampler_;
  std::int64_t done_ = 0, total_ = 0;  // UNet calls
};

std::vector<Branch> SetSampler::branches(const JobOutput& output) {
  const Job fields(output.job);
  return encode_branches(session_, method_.branches({.prompt = fields.text("text"),
                                                     .negative = settings_.negative,
                                                     .base_prompt = fields.optional_text("base_text").value_or(""),
                                                     .guidance = settings_.guidance,
                                                     .reward = settings_.reward}));
}

/// A full batch whatever the number of seeds: the last one is repeated.
Tensor SetSampler::batch(const std::vector<Branch>& branches, std::span<const std::uint64_t> seeds) {
  std::vector<std::uint64_t> rows(seeds.begin(), seeds.end());
  rows.resize(static_cast<std::size_t>(settings_.batch), rows.back());
  return sampler_.latents(branches, rows, {}, [&](const SamplingStep&) {
    run_.check_stop();
    run_.progress(++done_, total_, "sampling");
  });
}

void SetSampler::make(const JobOutput& output) {
  const auto begun = run_.seconds();
  const auto seeds = seeds_of(output);
  const std::string text = Job(output.job).text("text");
  const auto conditions = branches(output);
  std::vector<std::vector<std::byte>> images;
  const auto rows = static_cast<std::size_t>(settings_.batch);
  for (std::size_t first = 0; first < seeds.size(); first += rows) {
    const auto own = std::span(seeds).subspan(first, std::min(rows, seeds.size() - first));
    const Tensor latents = batch(conditions, own);
    for (std::size_t i = 0; i < own.size(); ++i) {
      const Image image = sampler_.decode(latents.narrow(0, static_cast<std::int64_t>(i), 1));
      images.push_back(image_bytes(image, {{"prompt", text}, {"seed", own[i]}, {"key", output.key}}));
    }
  }
  const auto path = run_.store().temporary_path();
  write_image_set(path, images);
  const auto bytes = std::filesystem::file_size(path);
  const std::string object = run_.store().adopt(path);
  run_.publish(output, object, {{"images", images.size()}, {"bytes", bytes}, {"seconds", run_.seconds() - begun}});
}

void apply_artifact(const JobRun& run, Session& session, const Method& method) {
  const auto key = run.job().optional_text("artifact");
  if (!key) return;
  const auto record = find_input(run.store(), *key, "artifact");
  method.apply(session, ArtifactObject::read(run.store().object_path(record.object)).artifact, 1.0);
}

}  // namespace

void run_sample_job(JobRun& run) {
  const at::NoGradGuard no_grad;
  const auto method = method_of(run.job());
  Session session(run.base());
  build_all(session);
  const SampleSettings settings = settings_of(run.job(), session);
  apply_artifact(run, session, *method);
  SetSampler sampler(run, session, *method, settings);
  run.begin_work();
  for (const JobOutput& output : run.missing()) {
    run.check_stop();
    sampler.make(output);
  }
}

}  // namespace atelier::worker
