// Whether a CLIP knows which caption belongs to a picture, and which pictures show the same object.
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "framework/core/error.h"
#include "framework/formats/component_folder.h"
#include "framework/models/clip_model.h"
#include "framework/pretraining/measure_context.h"
#include "framework/pretraining/measure_metrics.h"
#include "framework/pretraining/pipeline_parts.h"
#include "framework/pretraining/scene_pixels.h"
#include "framework/tensor/random.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {
namespace {

constexpr std::int64_t kClipBatch = 64;
constexpr const char* kClass = "class";

Tensor normalised(const Tensor& features) {
  const Tensor wide = features.to(at::kCPU, at::kDouble);
  return wide / wide.norm(2, -1, true).clamp_min(1e-12);
}

/// The caption that says most.
const std::string& caption_of(const MeasuredSet& set, std::int64_t i) {
  return set.scenes.scenes()[static_cast<std::size_t>(i)].captions.front();
}

struct ClipParts {
  ClipModel model;
  ClipTokenizer tokenizer;
  Placement placement;

  ClipParts(const ComponentFolder& folder, const Placement& at)
      : model(folder.config(), Weights(folder.weights(), at)),
        tokenizer(ClipTokenizer::load(folder.path())),
        placement(at) {}
};

Tensor image_features(const ClipParts& clip, const MeasuredSet& set, MeasureContext& context) {
  const ClipPixels pixels(clip.placement.device);
  std::vector<Tensor> features;
  context.in_batches("pictures through CLIP", set.count, kClipBatch, [&](std::int64_t first, std::int64_t rows) {
    features.push_back(normalised(clip.model.image_features(pixels(set.images(first, rows, clip.placement.device)))));
  });
  return at::cat(features);  // [N, F] float64
}

Tensor text_features(const ClipParts& clip, const MeasuredSet& set, MeasureContext& context) {
  std::vector<Tensor> features;
  context.in_batches("captions through CLIP", set.count, kClipBatch, [&](std::int64_t first, std::int64_t rows) {
    std::vector<std::int64_t> flat;
    for (std::int64_t i = first; i < first + rows; ++i) {
      const auto ids = clip.tokenizer.encode(caption_of(set, i));
      flat.insert(flat.end(), ids.begin(), ids.end());
    }
    const Tensor ids = at::tensor(flat, at::TensorOptions().dtype(at::kLong)).view({rows, -1});
    features.push_back(normalised(clip.model.text_features(ids.to(clip.placement.device))));
  });
  return at::cat(features);  // [N, F] float64
}

/// `wanted` pictures of different captions, in an order that the seed decides.
Tensor distinct_captions(const MeasuredSet& set, std::int64_t wanted, std::uint64_t seed) {
  auto generator = make_generator(seed);
  const Tensor order = at::randperm(set.count, generator, at::TensorOptions().dtype(at::kLong));
  std::set<std::string> captions;
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < set.count && static_cast<std::int64_t>(chosen.size()) < wanted; ++i) {
    const auto row = order.const_data_ptr<std::int64_t>()[i];
    if (captions.insert(caption_of(set, row)).second) chosen.push_back(row);
  }
  if (static_cast<std::int64_t>(chosen.size()) == wanted)
    return at::tensor(chosen, at::TensorOptions().dtype(at::kLong));
  throw Error({.where = set.scenes.folder().string(),
               .found = fmt::format("{} different captions", chosen.size()),
               .expected = fmt::format("the {} that one draw of clip.retrieval takes", wanted),
               .advice = "measure on more pictures, or on fewer captions"});
}

void measure_retrieval(const Tensor& images, const Tensor& texts, const MeasuredSet& set, const ClipQuality& wanted,
                       MeasureContext& context) {
  double sum = 0.0;
  for (std::int64_t draw = 0; draw < wanted.draws; ++draw) {
    const Tensor rows = distinct_captions(set, wanted.captions, static_cast<std::uint64_t>(draw));
    sum += top1(at::matmul(images.index_select(0, rows), texts.index_select(0, rows).t()));
  }
  context.add({.name = "clip.top1",
               .quantity = fmt::format("own caption nearest, of {}", wanted.captions),
               .measured = sum / static_cast<double>(wanted.draws),
               .wanted = wanted.top1,
               .count = wanted.draws * wanted.captions});
}

/// Cosines of two pictures of one instance, and of two instances of one class.
struct PairCosines {
  std::vector<double> same_instance, same_class;
};

PairCosines pair_cosines(const Tensor& images, const MeasuredSet& set) {
  const auto kind = set.scenes.attribute(kClass);
  const Tensor cosines = at::matmul(images, images.t()).contiguous();  // [N, N]
  const auto* values = cosines.const_data_ptr<double>();
  PairCosines pairs;
  for (std::int64_t i = 0; i < set.count; ++i) {
    const Scene& a = set.scenes.scenes()[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < i; ++j) {
      const Scene& b = set.scenes.scenes()[static_cast<std::size_t>(j)];
      if (a.instance == b.instance) pairs.same_instance.push_back(values[i * set.count + j]);
      if (a.instance != b.instance && a.values[kind] == b.values[kind]) {
        pairs.same_class.push_back(values[i * set.count + j]);
      }
    }
  }
  return pairs;
}

void measure_instances(const Tensor& images, const MeasuredSet& set, double wanted, MeasureContext& context) {
  const PairCosines pairs = pair_cosines(images, set);
  context.add({.name = "clip.instance_auc",
               .quantity = "same instance against same class, AUC",
               .measured = area_under_curve(pairs.same_instance, pairs.same_class),
               .wanted = wanted,
               .unit = MeasureUnit::score,
               .count = static_cast<std::int64_t>(pairs.same_instance.size())});
}

/// Throws Error unless there are pairs of one instance, and of two instances of one class.
void require_pairs(const MeasuredSet& set) {
  const auto kind = set.scenes.attribute(kClass);
  std::map<std::int64_t, std::set<std::int64_t>> instances;  // by class
  bool pair = false, distinct = false;
  for (std::int64_t i = 0; i < set.count; ++i) {
    const Scene& scene = set.scenes.scenes()[static_cast<std::size_t>(i)];
    auto& own = instances[scene.values[kind]];
    pair = !own.insert(scene.instance).second || pair;
    distinct = own.size() > 1 || distinct;
  }
  if (pair && distinct) return;
  throw Error({.where = set.scenes.folder().string(),
               .found = pair ? "one instance of each class" : "no instance with two pictures",
               .expected = "several pictures of an instance and several instances of a class, for clip.instances",
               .advice = "draw a larger set"});
}

}  // namespace

Measure prepare_clip(const ClipQuality& wanted, MeasureContext& context) {
  const MeasuredSet set = context.open(wanted.on);
  if (wanted.top1) static_cast<void>(distinct_captions(set, wanted.captions, 0));
  if (wanted.auc) require_pairs(set);
  const auto folder = open_component(context.base() / "clip", "clip");
  const auto clip = std::make_shared<const ClipParts>(folder, context.placement());
  const auto side = clip->model.vision().image_size();
  if (side != set.scenes.side()) {
    throw Error({.where = folder.path().string(),
                 .found = fmt::format("pictures of {} pixels", side),
                 .expected = fmt::format("{}, as {} has", set.scenes.side(), set.scenes.folder().string())});
  }
  return [=](MeasureContext& now) {
    const Tensor images = image_features(*clip, set, now);
    if (wanted.top1) measure_retrieval(images, text_features(*clip, set, now), set, wanted, now);
    if (wanted.auc) measure_instances(images, set, *wanted.auc, now);
  };
}

}  // namespace atelier
