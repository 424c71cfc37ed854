#include "framework/worker/picture_sampler.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/sampling/picture.h"
#include "framework/schedulers/scheduler_names.h"

namespace atelier::worker {
namespace {

bool flag_of(const Json& config, const char* key, bool fallback) {
  const auto found = config.find(key);
  return found == config.end() || !found->is_boolean() ? fallback : found->get<bool>();
}

}  // namespace

std::unique_ptr<Scheduler> SamplingPlan::make_scheduler(const Checkpoint& checkpoint) const {
  const Json config = checkpoint.scheduler_config();
  auto planned = atelier::make_scheduler(scheduler ? *scheduler : scheduler_name_of(config), config,
                                         settings != nullptr ? *settings : Json::object());
  planned->set_timesteps(steps);
  return planned;
}

PictureSampler::PictureSampler(Session& session, const SamplingPlan& plan) : session_(session), plan_(plan) {
  const auto& vae = session.vae().config();
  shape_ = {vae.latent_channels, plan.height / vae.downscale(), plan.width / vae.downscale()};
}

std::size_t PictureSampler::calls() const {
  return plan_.make_scheduler(session_.base().checkpoint())->timesteps().size();
}

Tensor PictureSampler::time_ids() const {
  if (!session_.base().is_sdxl()) return {};
  const auto height = static_cast<float>(plan_.height), width = static_cast<float>(plan_.width);
  return at::tensor({height, width, 0.0f, 0.0f, height, width}).unsqueeze(0).to(session_.base().placement().device);
}

Tensor PictureSampler::latents(const std::vector<Branch>& branches, const std::vector<std::uint64_t>& seeds,
                               const Tensor& given, const OnStep& on_step, const GuidedHooks& hooks) {
  std::vector<at::Generator> generators;
  Tensor initial = initial_latents(shape_, seeds, generators);
  if (given.defined()) initial = given;
  const auto& placement = session_.base().placement();
  initial = initial.to(placement.device, placement.dtype == at::kDouble ? at::kDouble : at::kFloat);
  GuidedModel model(session_.unet(), branches, time_ids(), hooks);
  const auto scheduler = plan_.make_scheduler(session_.base().checkpoint());
  return sample_latents(model, *scheduler, initial, generators, on_step);
}

Image PictureSampler::decode(const Tensor& latents) const {
  return std::move(to_images(session_.vae().decode(latents)).front());
}

TextCondition encode_no_prompt(Session& session, const EncodeOptions& options) {
  TextCondition condition = session.encode({std::string()}, options);
  if (flag_of(session.base().checkpoint().model_index(), "force_zeros_for_empty_prompt", false)) {
    condition.context = at::zeros_like(condition.context);
    condition.pooled = at::zeros_like(condition.pooled);
  }
  return condition;
}

std::pair<std::int64_t, std::int64_t> picture_size(Session& session,
                                                   const std::optional<std::pair<std::int64_t, std::int64_t>>& size) {
  const auto scale = session.vae().config().downscale();
  const auto own = session.unet().config().sample_size * scale;
  const auto [width, height] = size.value_or(std::pair{own, own});
  if (width % scale != 0 || height % scale != 0 || width < scale || height < scale) {
    throw Error({.where = "--size",
                 .found = fmt::format("{}x{}", width, height),
                 .expected = fmt::format("multiples of {}, the pixels of one latent", scale)},
                ErrorKind::usage);
  }
  return {width, height};
}

void build_all(Session& session) {
  (void)session.unet();
  (void)session.vae();
  for (std::size_t tower = 0; tower < session.text_towers(); ++tower) {
    (void)session.tokenizer(tower);
    (void)session.text(tower);
  }
}

std::shared_ptr<const Base> make_base(Checkpoint checkpoint, const Placement& placement) {
  const auto shared = std::make_shared<const Checkpoint>(std::move(checkpoint));
  Placement vae = placement;
  if (placement.dtype == at::kHalf && flag_of(shared->config("vae"), "force_upcast", true)) vae.dtype = at::kFloat;
  return std::make_shared<const Base>(shared, placement, vae);
}

}  // namespace atelier::worker
