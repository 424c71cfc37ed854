// How much of a picture an autoencoder keeps.
#include <ATen/ops/cat.h>

#include "framework/pretraining/measure_context.h"
#include "framework/pretraining/measure_metrics.h"
#include "framework/pretraining/measure_pictures.h"
#include "framework/pretraining/pipeline_parts.h"

namespace atelier {
namespace {

constexpr std::int64_t kVaeBatch = 32;
constexpr int kPairColumns = 8;  // of pairs: a picture, and beside it its reconstruction
constexpr std::size_t kPairsShown = 64;

void measure(const VAE& vae, const MeasuredSet& set, double wanted, MeasureContext& context) {
  std::vector<Tensor> decibels;
  std::vector<Image> shown;
  context.in_batches("reconstructing", set.count, kVaeBatch, [&](std::int64_t first, std::int64_t rows) {
    const Tensor images = set.images(first, rows, vae.placement().device);
    const Tensor pixels = to_pixels(images, at::kFloat);
    const double scale = vae.config().scaling_factor;
    const Tensor made = vae.decode(vae.encode(pixels).mean * scale).to(at::kFloat).clamp(-1, 1);
    decibels.push_back(psnr(made, pixels).to(at::kCPU));
    if (!context.wants_pictures() || shown.size() >= 2 * kPairsShown) return;
    const auto before = pictures_of(images), after = pictures_of(to_bytes(made));
    for (std::size_t i = 0; i < before.size() && shown.size() < 2 * kPairsShown; ++i) {
      shown.insert(shown.end(), {before[i], after[i]});
    }
  });
  context.add({.name = "vae.psnr",
               .quantity = "PSNR of reconstructions",
               .measured = at::cat(decibels).mean().item<double>(),
               .wanted = wanted,
               .unit = MeasureUnit::decibels,
               .count = set.count});
  context.add_sheet("reconstructions.png", shown, 2 * kPairColumns, "each picture, and beside it its reconstruction");
}

}  // namespace

Measure prepare_vae(const VAEQuality& wanted, MeasureContext& context) {
  const MeasuredSet set = context.open(wanted.on);
  const std::shared_ptr<VAE> vae = open_vae(context.base(), context.placement());
  return [=](MeasureContext& now) { measure(*vae, set, wanted.psnr, now); };
}

}  // namespace atelier
