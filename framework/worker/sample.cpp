#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/progress.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/vae.h"
#include "framework/sampling/sampler.h"
#include "framework/tensor/tensor_io.h"
#include "framework/worker/artifacts.h"
#include "framework/worker/job.h"
#include "framework/worker/picture_folder.h"
#include "framework/worker/picture_sampler.h"
#include "framework/worker/prompt_branches.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {
namespace {

/// One prompt's pictures, sampled in batches.
class PromptSampler {
 public:
  PromptSampler(Session& session, const Method& method, const SampleRequest& request, PictureFolder& folder,
                Progress& progress)
      : session_(session),
        method_(method),
        request_(request),
        folder_(folder),
        progress_(progress),
        plan_(request.plan()) {}

  /// The request has a size. `given` [n, 4, h, w]: initial latents of unit variance, or undefined. Returns the final
  /// latents.
  Tensor sample(std::size_t prompt, const Tensor& given);

 private:
  [[nodiscard]] std::vector<Branch> branches(std::size_t prompt);
  [[nodiscard]] Tensor batch(std::size_t prompt, std::int64_t first, std::int64_t count, const Tensor& given);
  void preview(std::size_t prompt, std::int64_t first, const SamplingStep& step);

  Session& session_;
  const Method& method_;
  const SampleRequest& request_;
  PictureFolder& folder_;
  Progress& progress_;
  SamplingPlan plan_;
  PictureSampler sampler_{session_, plan_};
};

std::vector<Branch> PromptSampler::branches(std::size_t prompt) {
  return guided_branches(session_, method_,
                         {.prompt = request_.prompts[prompt],
                          .negative = request_.negative,
                          .base_prompt = request_.base_prompt.value_or(""),
                          .guidance = request_.guidance,
                          .reward = request_.reward_guidance});
}

void PromptSampler::preview(std::size_t prompt, std::int64_t first, const SamplingStep& step) {
  if (!request_.preview_every || (step.call + 1) % static_cast<std::size_t>(*request_.preview_every) != 0) return;
  folder_.write_preview(prompt, first, step.call + 1, sampler_.decode(step.latents.narrow(0, 0, 1)));
}

Tensor PromptSampler::batch(std::size_t prompt, std::int64_t first, std::int64_t count, const Tensor& given) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < count; ++i) seeds.push_back(static_cast<std::uint64_t>(request_.seed + first + i));
  const Tensor rows = given.defined() ? given.narrow(0, first, count) : Tensor();
  return sampler_.latents(branches(prompt), seeds, rows, [&](const SamplingStep& step) {
    progress_.advance();
    preview(prompt, first, step);
  });
}

Tensor PromptSampler::sample(std::size_t prompt, const Tensor& given) {
  std::vector<Tensor> all;
  for (std::int64_t first = 0; first < request_.images; first += request_.batch) {
    const auto count = std::min(request_.batch, request_.images - first);
    all.push_back(batch(prompt, first, count, given));
    for (std::int64_t i = 0; i < count; ++i) {
      folder_.write(prompt, first + i, sampler_.decode(all.back().narrow(0, i, 1)));
    }
  }
  return at::cat(all);
}

using PixelSize = std::pair<std::int64_t, std::int64_t>;  // width, height

/// What --size says, else what the given latents say, else the model's own.
PixelSize size_of(Session& session, const SampleRequest& request, const Tensor& given) {
  const PixelSize size = picture_size(session, request.size);
  if (!given.defined()) return size;
  const auto scale = session.vae().config().downscale();
  const PixelSize drawn{given.size(3) * scale, given.size(2) * scale};
  if (request.size && drawn != size) {
    throw Error({.where = "--latents-in, --size",
                 .found = fmt::format("latents for {}x{} pixels and --size {}x{}", drawn.first, drawn.second,
                                      size.first, size.second),
                 .expected = "the same size",
                 .advice = "leave --size out"},
                ErrorKind::usage);
  }
  return drawn;
}

/// `latents` of --latents-in, prompts and pictures stacked in order.
Tensor read_latents(const std::string& path, const SampleRequest& request, std::int64_t channels) {
  const auto content = read_named_tensors(path);
  const auto found = content.tensors.find("latents");
  const auto rows = static_cast<std::int64_t>(request.prompts.size()) * request.images;
  const bool present = found != content.tensors.end();
  if (!present || found->second.dim() != 4 || found->second.size(0) != rows || found->second.size(1) != channels ||
      found->second.numel() == 0) {
    throw Error(
        {.where = path,
         .found = present ? "latents " + describe(found->second.sizes(), found->second.scalar_type())
                          : "no tensor `latents`",
         .expected = fmt::format("latents [{}, {}, h, w]: one row for each prompt and picture", rows, channels)});
  }
  return found->second;
}

}  // namespace

void run_sample(const Job& job) {
  const at::NoGradGuard no_grad;
  const Placement placement = job.placement();
  const SampleRequest request = SampleRequest::from(job);
  const auto base = make_base(open_checkpoint(job), placement);
  Session session(base);
  const AppliedArtifacts applied = apply_artifacts(session, request);
  SampleRequest filled = request.with_phrase(applied.phrase);
  const Tensor given = request.latents_in
                           ? read_latents(*request.latents_in, request, session.vae().config().latent_channels)
                           : Tensor();
  filled.size = size_of(session, request, given);
  build_all(session);

  PictureFolder folder(job.text("out"), filled, base->checkpoint().path().string());
  const auto calls = filled.plan().make_scheduler(base->checkpoint())->timesteps().size();
  const auto batches = static_cast<std::size_t>((filled.images + filled.batch - 1) / filled.batch);
  Progress progress("sampling", calls * batches * filled.prompts.size());
  PromptSampler sampler(session, *applied.method, filled, folder, progress);
  std::vector<Tensor> finals;
  for (std::size_t prompt = 0; prompt < filled.prompts.size(); ++prompt) {
    const auto first = static_cast<std::int64_t>(prompt) * filled.images;
    finals.push_back(sampler.sample(prompt, given.defined() ? given.narrow(0, first, filled.images) : Tensor()));
  }
  progress.finish();
  if (request.latents_out) {
    const Tensor latents = at::cat(finals).to(at::kCPU);
    write_named_tensors(*request.latents_out, {.tensors = {{"latents", latents}}, .metadata = {}});
  }
}

}  // namespace atelier::worker
