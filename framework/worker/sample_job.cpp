#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/session.h"
#include "framework/worker/artifact_object.h"
#include "framework/worker/image_set.h"
#include "framework/worker/method_of_job.h"
#include "framework/worker/picture_rows.h"
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
  std::optional<std::string> negative;  // a study's "" is none
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
                          .negative = job.optional_text("negative"),
                          .batch = job.integer("batch")};
  if (settings.negative == "") settings.negative.reset();
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

/// The pictures of a job: rows of all its prompts, batch by batch.
class SetSampler {
 public:
  SetSampler(JobRun& run, Session& session, const Method& method, const SampleSettings& settings);

  /// Samples every picture; a prompt's are stored and published as soon as the last one is there.
  void make_all();

 private:
  struct Prompt {
    const JobOutput& output;
    std::size_t pictures;  // how many it will have
    std::string text;
    std::vector<Branch> branches = {};              // encoded when its first row comes
    std::vector<std::vector<std::byte>> done = {};  // PNG files, in the order of the seeds
  };

  void make(std::span<const PictureRow> rows);
  [[nodiscard]] const std::vector<Branch>& branches(Prompt& prompt);
  [[nodiscard]] Tensor latents(std::span<const PictureRow> rows);
  void publish(Prompt& prompt);

  JobRun& run_;
  Session& session_;
  const Method& method_;
  const SampleSettings& settings_;
  PictureSampler sampler_;
  std::vector<Prompt> prompts_;
  std::vector<PictureRow> rows_;
  double begun_ = 0.0;                 // when the pictures of the next prompt to be published were begun
  std::int64_t done_ = 0, total_ = 0;  // UNet calls
};

SetSampler::SetSampler(JobRun& run, Session& session, const Method& method, const SampleSettings& settings)
    : run_(run), session_(session), method_(method), settings_(settings), sampler_(session, settings.plan) {
  for (const JobOutput& output : run.missing()) {
    const auto seeds = seeds_of(output);
    for (const auto seed : seeds) rows_.push_back({prompts_.size(), seed});
    prompts_.push_back({output, seeds.size(), Job(output.job).text("text")});
  }
}

const std::vector<Branch>& SetSampler::branches(Prompt& prompt) {
  if (!prompt.branches.empty()) return prompt.branches;
  const Job fields(prompt.output.job);
  prompt.branches = guided_branches(session_, method_,
                                    {.prompt = prompt.text,
                                     .negative = settings_.negative,
                                     .base_prompt = fields.optional_text("base_text").value_or(""),
                                     .guidance = settings_.guidance,
                                     .reward = settings_.reward});
  return prompt.branches;
}

/// A full batch whatever the number of rows: the last one is repeated.
Tensor SetSampler::latents(std::span<const PictureRow> rows) {
  std::vector<const std::vector<Branch>*> prompts;
  std::vector<std::uint64_t> seeds;
  for (std::size_t i = 0; i < static_cast<std::size_t>(settings_.batch); ++i) {
    const PictureRow& row = rows[std::min(i, rows.size() - 1)];
    prompts.push_back(&branches(prompts_[row.output]));
    seeds.push_back(row.seed);
  }
  return sampler_.latents(stack_rows(prompts), seeds, {}, [&](const SamplingStep&) {
    run_.check_stop();
    run_.progress(++done_, total_, "sampling");
  });
}

void SetSampler::publish(Prompt& prompt) {
  const auto path = run_.store().temporary_path();
  write_image_set(path, prompt.done);
  const auto bytes = std::filesystem::file_size(path);
  const std::string object = run_.store().adopt(path);
  const double now = run_.seconds();
  run_.publish(prompt.output, object, {{"images", prompt.pictures}, {"bytes", bytes}, {"seconds", now - begun_}});
  begun_ = now;
  prompt.done = {};
  prompt.branches = {};
}

void SetSampler::make(std::span<const PictureRow> rows) {
  const Tensor finals = latents(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Prompt& prompt = prompts_[rows[i].output];
    const Image image = sampler_.decode(finals.narrow(0, static_cast<std::int64_t>(i), 1));
    prompt.done.push_back(
        image_bytes(image, {{"prompt", prompt.text}, {"seed", rows[i].seed}, {"key", prompt.output.key}}));
    if (prompt.done.size() == prompt.pictures) publish(prompt);
  }
}

void SetSampler::make_all() {
  const auto batches = cut_rows(rows_, static_cast<std::size_t>(settings_.batch));
  total_ = static_cast<std::int64_t>(batches.size() * sampler_.calls());
  begun_ = run_.seconds();
  for (const auto batch : batches) {
    run_.check_stop();
    make(batch);
  }
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
  sampler.make_all();
}

}  // namespace atelier::worker
