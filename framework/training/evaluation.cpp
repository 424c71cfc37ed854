#include "framework/training/evaluation.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include "framework/core/error.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/training/latent_source.h"
#include "framework/training/loss.h"

namespace atelier {
namespace {

constexpr std::int64_t kEvaluationStage = -1;  // an ordinal that no stage has

BatchInputs inputs_of(const Tensor& latents, const Photo& photo, std::int64_t timestep, Stage& stage, Draws& draws) {
  BatchInputs inputs{.latents = latents.unsqueeze(0),
                     .noise = draws.normal("noise", latents.sizes()).unsqueeze(0),
                     .timesteps = at::tensor({timestep}, at::kLong),
                     .mask = {},
                     .time_ids = {},
                     .samples = {Sample{}},
                     .instance_rows = photo.of_class ? 0 : 1};
  stage.describe(photo, inputs.samples.front(), draws);
  return inputs;
}

Tensor time_ids(const DataSpec& data) {
  const auto side = static_cast<float>(data.recipe.transform.size);
  return at::tensor({side, side, 0.0f, 0.0f, side, side}).unsqueeze(0);
}

}  // namespace

double evaluation_loss(Session& session, Stage& stage, const EvaluationOptions& options) {
  const at::NoGradGuard no_grad;
  const Loss loss(session, stage);
  const DataSpec data = stage.data();
  LatentSource source(
      session.base(),
      {.photos = options.photos, .data = data, .seed = options.seed, .stage = kEvaluationStage, .cache = false});
  double sum = 0.0;
  for (std::size_t p = 0; p < options.photos.size(); ++p) {
    const Tensor latents = source.plain_latents(p);
    for (std::int64_t k = 0; k < options.draws; ++k) {
      RandomDraws draws(
          {.seed = options.seed, .stage = kEvaluationStage, .step = static_cast<std::int64_t>(p), .slot = k});
      const std::int64_t timestep = (2 * k + 1) * loss.num_train_timesteps() / (2 * options.draws);
      BatchInputs inputs = inputs_of(latents, options.photos[p], timestep, stage, draws);
      if (session.base().is_sdxl()) inputs.time_ids = time_ids(data);
      const LossValue value = loss.evaluate(inputs, draws);
      const auto term = value.terms.find(options.term);
      if (term == value.terms.end()) {
        throw Error({.where = "evaluation", .found = "no term " + options.term, .expected = "a term of the stage"});
      }
      sum += term->second.item<double>();
    }
  }
  return sum / static_cast<double>(static_cast<std::int64_t>(options.photos.size()) * options.draws);
}

}  // namespace atelier
