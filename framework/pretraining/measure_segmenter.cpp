// How well a segmenter finds what a subject's words name.
#include <ATen/ops/cat.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include "framework/core/error.h"
#include "framework/formats/component_folder.h"
#include "framework/models/clipseg.h"
#include "framework/pretraining/measure_context.h"
#include "framework/pretraining/measure_metrics.h"
#include "framework/pretraining/measure_pictures.h"
#include "framework/pretraining/pipeline_parts.h"
#include "framework/pretraining/scene_pixels.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {
namespace {

constexpr std::int64_t kSegmenterBatch = 32;
constexpr std::int64_t kHalfCovered = 128;  // of 255: a pixel that belongs to the subject
constexpr int kMaskColumns = 5;             // of three: picture, mask, found
constexpr std::size_t kMasksShown = 40;

struct Segmenter {
  ClipSeg network;
  ClipTokenizer tokenizer;
  ClipPixels pixels;

  Segmenter(const ComponentFolder& folder, const Placement& placement)
      : network(folder.config(), Weights(folder.weights(), placement)),
        tokenizer(ClipTokenizer::load(folder.path())),
        pixels(placement.device) {}

  /// Probabilities [B, S, S] float32 of what each scene's subject names.
  [[nodiscard]] Tensor find(const Tensor& images, const std::vector<std::string>& subjects) const {
    std::vector<std::int64_t> flat;
    for (const auto& subject : subjects) {
      const auto ids = tokenizer.encode(subject);
      flat.insert(flat.end(), ids.begin(), ids.end());
    }
    const Tensor ids = at::tensor(flat, at::TensorOptions().dtype(at::kLong)).view({images.size(0), -1});
    const Tensor prompts = network.prompt(ids.to(network.placement().device));
    const Tensor logits = network.forward(pixels(images), prompts).to(at::kFloat).unsqueeze(1);
    const auto side = images.size(1);
    if (logits.size(2) == side) return at::sigmoid(logits).squeeze(1);
    return at::sigmoid(at::upsample_bilinear2d(logits, {side, side}, false, std::nullopt, std::nullopt)).squeeze(1);
  }
};

std::vector<std::string> subjects_of(const MeasuredSet& set, std::int64_t first, std::int64_t rows) {
  std::vector<std::string> subjects;
  for (std::int64_t i = first; i < first + rows; ++i) {
    subjects.push_back(set.scenes.scenes()[static_cast<std::size_t>(i)].subject);
  }
  return subjects;
}

void measure(const Segmenter& segmenter, const MeasuredSet& set, const SegmenterQuality& wanted,
             MeasureContext& context) {
  std::vector<Tensor> overlaps;
  std::vector<Image> shown;
  context.in_batches("segmenting", set.count, kSegmenterBatch, [&](std::int64_t first, std::int64_t rows) {
    const Tensor images = set.images(first, rows, segmenter.network.placement().device);
    const Tensor found = (segmenter.find(images, subjects_of(set, first, rows)) >= wanted.threshold).to(at::kCPU);
    const Tensor expected = set.scenes.masks().narrow(0, first, rows) >= kHalfCovered;
    overlaps.push_back(intersection_over_union(found, expected));
    if (!context.wants_pictures() || shown.size() >= 3 * kMasksShown) return;
    const auto pictures = pictures_of(images), masks = pictures_of_masks(expected), made = pictures_of_masks(found);
    for (std::size_t i = 0; i < pictures.size() && shown.size() < 3 * kMasksShown; ++i) {
      shown.insert(shown.end(), {pictures[i], masks[i], made[i]});
    }
  });
  context.add({.name = "segmenter.iou",
               .quantity = "IoU of found and true masks",
               .measured = at::cat(overlaps).mean().item<double>(),
               .wanted = wanted.iou,
               .unit = MeasureUnit::score,
               .count = set.count});
  context.add_sheet("masks.png", shown, 3 * kMaskColumns, "each picture, its mask, and what the segmenter found");
}

}  // namespace

Measure prepare_segmenter(const SegmenterQuality& wanted, MeasureContext& context) {
  const MeasuredSet set = context.open(wanted.on);
  const auto folder = open_component(context.base() / "segmenter", "segmenter");
  const auto segmenter = std::make_shared<const Segmenter>(folder, context.placement());
  return [=](MeasureContext& now) { measure(*segmenter, set, wanted, now); };
}

}  // namespace atelier
