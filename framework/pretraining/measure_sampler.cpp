#include "framework/pretraining/measure_sampler.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/pretraining/measure_context.h"
#include "framework/pretraining/measure_pictures.h"
#include "framework/sampling/sampler.h"

namespace atelier {
namespace {

std::unique_ptr<Session> open_session(const std::filesystem::path& pipeline, const Placement& placement) {
  const auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(pipeline));
  Placement vae = placement;
  if (placement.dtype == at::kHalf) vae.dtype = at::kFloat;  // a decoder may overflow in half precision
  auto session = std::make_unique<Session>(std::make_shared<const Base>(checkpoint, placement, vae));
  if (session->base().is_sdxl()) {
    throw Error({.where = pipeline.string(),
                 .found = "two text encoders",
                 .expected = "one: only pipelines of Stable Diffusion 1.x and 2.x are measured"});
  }
  // A damaged part is found before anything is measured.
  static_cast<void>(session->unet());
  static_cast<void>(session->vae());
  static_cast<void>(session->text(0));
  static_cast<void>(session->tokenizer(0));
  return session;
}

}  // namespace

SampleMaker::SampleMaker(const std::filesystem::path& pipeline, const Placement& placement,
                         const MeasureSampler& settings)
    : session_(open_session(pipeline, placement)), settings_(settings) {
  const auto scheduler = make_scheduler(settings.scheduler, session_->base().checkpoint().scheduler_config());
  scheduler->set_timesteps(settings.steps);  // refuses what it cannot do
}

SampleMaker::~SampleMaker() = default;

std::int64_t SampleMaker::side() {
  return session_->unet().config().sample_size * session_->vae().config().downscale();
}

Tensor SampleMaker::batch(const std::vector<WantedSample>& wanted, const MeasureContext& context) {
  std::vector<std::string> prompts;
  std::vector<std::uint64_t> seeds;
  for (const auto& one : wanted) {
    prompts.push_back(one.prompt);
    seeds.push_back(one.seed);
  }
  const auto& checkpoint = session_->base().checkpoint();
  const auto& placement = session_->base().placement();
  const auto side = session_->unet().config().sample_size;
  std::vector<at::Generator> generators;
  const Tensor latents = initial_latents({session_->vae().config().latent_channels, side, side}, seeds, generators)
                             .to(placement.device, placement.dtype == at::kDouble ? at::kDouble : at::kFloat);
  const auto scheduler = make_scheduler(settings_.scheduler, checkpoint.scheduler_config());
  scheduler->set_timesteps(settings_.steps);
  GuidedModel model(session_->unet(), classifier_free_guidance(session_->encode({""}), session_->encode(prompts),
                                                               settings_.guidance_scale));
  const Tensor made =
      sample_latents(model, *scheduler, latents, generators, [&](const SamplingStep&) { context.check_stop(); });
  return to_bytes(session_->vae().decode(made));
}

Tensor SampleMaker::make(const std::vector<WantedSample>& wanted, const MeasureContext& context) {
  std::vector<Tensor> made;
  const auto count = static_cast<std::int64_t>(wanted.size());
  context.in_batches("sampling", count, settings_.batch, [&](std::int64_t first, std::int64_t rows) {
    made.push_back(batch({wanted.begin() + first, wanted.begin() + first + rows}, context));
  });
  return at::cat(made);
}

}  // namespace atelier
