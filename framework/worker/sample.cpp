#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>

#include "framework/core/error.h"
#include "framework/core/progress.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/vae.h"
#include "framework/sampling/picture.h"
#include "framework/sampling/sampler.h"
#include "framework/tensor/tensor_io.h"
#include "framework/worker/artifacts.h"
#include "framework/worker/job.h"
#include "framework/worker/picture_folder.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {
namespace {

/// The autoencoder's type: SDXL's overflows in float16, which its config says by force_upcast.
Placement vae_placement(const Checkpoint& checkpoint, Placement placement) {
  const auto& config = checkpoint.config("vae");
  const auto found = config.find("force_upcast");
  const bool upcast = found == config.end() || !found->is_boolean() || found->get<bool>();
  if (placement.dtype == at::kHalf && upcast) placement.dtype = at::kFloat;
  return placement;
}

/// SDXL's pipelines take zeros, not the encoding of "", where no negative prompt is given.
bool zeros_for_empty_prompt(const Checkpoint& checkpoint) {
  const auto found = checkpoint.model_index().find("force_zeros_for_empty_prompt");
  return found != checkpoint.model_index().end() && found->is_boolean() && found->get<bool>();
}

/// One prompt's pictures, sampled in batches.
class PromptSampler {
 public:
  PromptSampler(Session& session, const SampleRequest& request, PictureFolder& folder, Progress& progress)
      : session_(session), request_(request), folder_(folder), progress_(progress) {
    const auto& vae = session.vae().config();
    std::tie(width_, height_) = request.size.value();
    shape_ = {vae.latent_channels, height_ / vae.downscale(), width_ / vae.downscale()};
  }

  /// The request has a size. `given` [n, 4, h, w]: initial latents of unit variance, or undefined. Returns the final
  /// latents.
  Tensor sample(std::size_t prompt, const Tensor& given);

 private:
  [[nodiscard]] TextCondition unconditional(std::size_t prompt);
  [[nodiscard]] std::vector<Branch> branches(std::size_t prompt);
  [[nodiscard]] Tensor batch(std::size_t prompt, std::int64_t first, std::int64_t count, const Tensor& given);
  void preview(std::size_t prompt, std::int64_t first, const SamplingStep& step);

  Session& session_;
  const SampleRequest& request_;
  PictureFolder& folder_;
  Progress& progress_;
  std::int64_t width_ = 0, height_ = 0;
  std::vector<std::int64_t> shape_;  // of one picture's latents
};

TextCondition PromptSampler::unconditional(std::size_t) {
  TextCondition empty = session_.encode({request_.negative.value_or("")});
  if (!request_.negative && zeros_for_empty_prompt(session_.base().checkpoint())) {
    empty.context = at::zeros_like(empty.context);
    empty.pooled = at::zeros_like(empty.pooled);
  }
  return empty;
}

std::vector<Branch> PromptSampler::branches(std::size_t prompt) {
  const TextCondition conditional = session_.encode({request_.prompts[prompt]});
  if (request_.reward_guidance) {
    const TextCondition base = session_.encode({*request_.base_prompt});
    return reward_guidance(unconditional(prompt), base, conditional, request_.guidance, *request_.reward_guidance);
  }
  if (request_.guidance == 1.0) return classifier_free_guidance({}, conditional, 1.0);
  return classifier_free_guidance(unconditional(prompt), conditional, request_.guidance);
}

void PromptSampler::preview(std::size_t prompt, std::int64_t first, const SamplingStep& step) {
  if (!request_.preview_every || (step.call + 1) % static_cast<std::size_t>(*request_.preview_every) != 0) return;
  const auto images = to_images(session_.vae().decode(step.latents.narrow(0, 0, 1)));
  folder_.write_preview(prompt, first, step.call + 1, images.front());
}

Tensor PromptSampler::batch(std::size_t prompt, std::int64_t first, std::int64_t count, const Tensor& given) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < count; ++i) seeds.push_back(static_cast<std::uint64_t>(request_.seed + first + i));
  std::vector<at::Generator> generators;
  Tensor latents = initial_latents(shape_, seeds, generators);
  if (given.defined()) latents = given.narrow(0, first, count);
  const auto& placement = session_.base().placement();
  latents = latents.to(placement.device, placement.dtype == at::kDouble ? at::kDouble : at::kFloat);

  const bool sdxl = session_.base().is_sdxl();
  const auto height = static_cast<float>(height_), width = static_cast<float>(width_);
  const Tensor time_ids =
      sdxl ? at::tensor({height, width, 0.0f, 0.0f, height, width}).unsqueeze(0).to(placement.device) : Tensor();
  GuidedModel model(session_.unet(), branches(prompt), time_ids);
  const auto scheduler = request_.make_scheduler(session_.base().checkpoint());
  return sample_latents(model, *scheduler, latents, generators, [&](const SamplingStep& step) {
    progress_.advance();
    preview(prompt, first, step);
  });
}

Tensor PromptSampler::sample(std::size_t prompt, const Tensor& given) {
  std::vector<Tensor> all;
  for (std::int64_t first = 0; first < request_.images; first += request_.batch) {
    const auto count = std::min(request_.batch, request_.images - first);
    all.push_back(batch(prompt, first, count, given));
    for (std::int64_t i = 0; i < count; ++i) {  // one at a time: the decoder needs more memory than the UNet
      const auto images = to_images(session_.vae().decode(all.back().narrow(0, i, 1)));
      folder_.write(prompt, first + i, images.front());
    }
  }
  return at::cat(all);
}

using PixelSize = std::pair<std::int64_t, std::int64_t>;  // width, height

/// What --size says, else what the given latents say, else the model's own.
PixelSize picture_size(Session& session, const SampleRequest& request, const Tensor& given) {
  const auto scale = session.vae().config().downscale();
  const auto own = session.unet().config().sample_size * scale;
  PixelSize size = request.size.value_or(PixelSize{own, own});
  if (size.first % scale != 0 || size.second % scale != 0 || size.first < scale || size.second < scale) {
    throw Error({.where = "--size",
                 .found = fmt::format("{}x{}", size.first, size.second),
                 .expected = fmt::format("multiples of {}, the pixels of one latent", scale)},
                ErrorKind::usage);
  }
  if (!given.defined()) return size;
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

/// Builds every part, so that a damaged model is found before anything is written.
void build(Session& session) {
  (void)session.unet();
  (void)session.vae();
  for (std::size_t tower = 0; tower < session.text_towers(); ++tower) {
    (void)session.tokenizer(tower);
    (void)session.text(tower);
  }
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
  const auto checkpoint = std::make_shared<const Checkpoint>(open_checkpoint(job));
  const auto base = std::make_shared<const Base>(checkpoint, placement, vae_placement(*checkpoint, placement));
  Session session(base);
  const std::string phrase = apply_artifacts(session, request);
  SampleRequest filled = request.with_phrase(phrase);
  const Tensor given = request.latents_in
                           ? read_latents(*request.latents_in, request, session.vae().config().latent_channels)
                           : Tensor();
  filled.size = picture_size(session, request, given);
  build(session);

  PictureFolder folder(job.text("out"), filled, checkpoint->path().string());
  const auto calls = filled.make_scheduler(*checkpoint)->timesteps().size();
  const auto batches = static_cast<std::size_t>((filled.images + filled.batch - 1) / filled.batch);
  Progress progress("sampling", calls * batches * filled.prompts.size());
  PromptSampler sampler(session, filled, folder, progress);
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
