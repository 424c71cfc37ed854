#include "framework/pretraining/measure_judge.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/component_folder.h"
#include "framework/pretraining/measure_context.h"
#include "framework/pretraining/pipeline_parts.h"

namespace atelier {
namespace {

constexpr std::int64_t kJudgeBatch = 64;

/// [rows, attributes] int64.
Tensor true_values(const MeasuredSet& set, std::int64_t first, std::int64_t rows) {
  std::vector<std::int64_t> flat;
  for (std::int64_t i = first; i < first + rows; ++i) {
    const auto& values = set.scenes.scenes()[static_cast<std::size_t>(i)].values;
    flat.insert(flat.end(), values.begin(), values.end());
  }
  return at::tensor(flat, at::TensorOptions().dtype(at::kLong)).view({rows, -1});
}

void measure(const Judge& judge, const MeasuredSet& set, double wanted, MeasureContext& context) {
  std::vector<Tensor> right;  // [B, attributes] float64
  context.in_batches("judging renders", set.count, kJudgeBatch, [&](std::int64_t first, std::int64_t rows) {
    const Tensor seen = judge.see(set.images(first, rows, c10::kCPU));
    right.push_back((seen == true_values(set, first, rows)).to(at::kDouble));
  });
  const Tensor shares = at::cat(right).mean(0);  // [attributes]
  context.add({.name = "judge.accuracy",
               .quantity = "judge on renders, mean over attributes",
               .measured = shares.mean().item<double>(),
               .wanted = wanted,
               .count = set.count});
  for (std::size_t i = 0; i < judge.config().attributes.size(); ++i) {
    const auto& name = judge.config().attributes[i].name;
    context.add({.name = "judge.accuracy." + name,
                 .quantity = "judge on renders, " + name,
                 .measured = shares[static_cast<std::int64_t>(i)].item<double>(),
                 .count = set.count});
  }
}

}  // namespace

Judge::Judge(const std::filesystem::path& pipeline, const Placement& placement) {
  const auto folder = open_component(pipeline / "judge", "judge");
  where_ = folder.path().string();
  network_ = std::make_unique<const AttributeClassifier>(folder.config(), Weights(folder.weights(), placement));
}

Tensor Judge::see(const Tensor& images) const {
  const auto& placement = network_->placement();
  std::vector<Tensor> values;
  for (const auto& logits : network_->forward(to_pixels(images.to(placement.device), placement.dtype))) {
    values.push_back(logits.argmax(1).to(at::kCPU));
  }
  return at::stack(values, 1);
}

void Judge::require_fit(const SceneSet& scenes) const {
  if (scenes.side() != config().image_size) {
    throw Error({.where = where_,
                 .found = fmt::format("a judge of pictures of {} pixels", config().image_size),
                 .expected = fmt::format("{}, as {} has", scenes.side(), scenes.folder().string())});
  }
  const auto same = [](const ClassifierConfig::Attribute& own, const SceneAttribute& given) {
    return own.name == given.name && own.values == given.values;
  };
  if (std::ranges::equal(config().attributes, scenes.attributes(), same)) return;
  throw Error({.where = where_,
               .found = "a judge of other attributes or values",
               .expected = "those of " + (scenes.folder() / "set.json").string(),
               .advice = "train the judge on scenes of this world"});
}

std::size_t Judge::attribute(const std::string& name, const std::string& where) const {
  if (const auto place = config().find(name)) return *place;
  std::vector<std::string> names;
  for (const auto& attribute : config().attributes) names.push_back(attribute.name);
  throw Error({.where = where,
               .found = fmt::format("the attribute \"{}\"", name),
               .expected = "one that the judge knows: " + join(names)});
}

std::map<std::size_t, std::int64_t> Judge::places(const std::map<std::string, std::string>& values,
                                                  const std::string& where) const {
  std::map<std::size_t, std::int64_t> places;
  for (const auto& [name, value] : values) {
    const auto place = attribute(name, where);
    const auto& known = config().attributes[place].values;
    const auto found = std::ranges::find(known, value);
    if (found == known.end()) {
      throw Error(
          {.where = where, .found = fmt::format("{}: \"{}\"", name, value), .expected = "one of " + join(known)});
    }
    places.emplace(place, found - known.begin());
  }
  return places;
}

Measure prepare_judge(const JudgeQuality& wanted, MeasureContext& context) {
  const MeasuredSet set = context.open(wanted.on);
  const auto judge = std::make_shared<const Judge>(context.base(), context.placement());
  judge->require_fit(set.scenes);
  return [=](MeasureContext& now) { measure(*judge, set, wanted.accuracy, now); };
}

}  // namespace atelier
