#include "framework/pretraining/encoded_pictures.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <cmath>

#include "framework/core/progress.h"
#include "framework/pretraining/scene_set.h"

namespace atelier {
namespace {

constexpr std::int64_t kPicturesAtOnce = 64;

}  // namespace

Posterior encode_pictures(const VAE& vae, const Tensor& images, const std::function<void()>& keep_on) {
  const at::NoGradGuard no_grad;
  const std::int64_t count = images.size(0);
  Progress progress("encoding pictures", static_cast<std::size_t>(count));
  std::vector<Tensor> means, deviations;
  for (std::int64_t first = 0; first < count; first += kPicturesAtOnce) {
    keep_on();
    const std::int64_t rows = std::min(kPicturesAtOnce, count - first);
    const Tensor bytes = images.narrow(0, first, rows).to(vae.placement().device);
    const Posterior part = vae.encode(to_pixels(bytes, vae.placement().dtype));
    means.push_back(part.mean.to(at::kFloat).contiguous());
    deviations.push_back(part.std.to(at::kFloat).contiguous());
    progress.advance(static_cast<std::size_t>(rows));
  }
  progress.finish();
  return {at::cat(means), at::cat(deviations)};
}

double latent_deviation(const Posterior& posterior) {
  const at::NoGradGuard no_grad;
  const Tensor mean = posterior.mean.to(at::kDouble);
  const Tensor noise = posterior.std.to(at::kDouble);
  return std::sqrt((mean.var(/*unbiased=*/false) + (noise * noise).mean()).item<double>());
}

}  // namespace atelier
