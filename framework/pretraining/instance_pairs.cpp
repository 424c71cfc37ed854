#include "framework/pretraining/instance_pairs.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "framework/core/error.h"
#include "framework/pretraining/scene_set.h"

namespace atelier {
namespace {

/// floor(chance · n), which rounding may not lift to n.
std::size_t place(float chance, std::size_t n) {
  return std::min(static_cast<std::size_t>(chance * static_cast<float>(n)), n - 1);
}

std::vector<std::vector<std::int64_t>> pictures_of_instances(const SceneSet& scenes, std::int64_t batch) {
  std::map<std::int64_t, std::vector<std::int64_t>> by_instance;
  for (std::int64_t i = 0; i < scenes.size(); ++i) {
    by_instance[scenes.scenes()[static_cast<std::size_t>(i)].instance].push_back(i);
  }
  std::vector<std::vector<std::int64_t>> pictures;
  for (auto& [instance, own] : by_instance) {
    if (own.size() > 1) pictures.push_back(std::move(own));
  }
  if (static_cast<std::int64_t>(pictures.size()) >= batch) return pictures;
  throw Error({.where = (scenes.folder() / "scenes.jsonl").string(),
               .found = fmt::format("{} instances with two pictures or more", pictures.size()),
               .expected = fmt::format("at least the {} of one batch", batch),
               .advice = "draw a larger set, or use a smaller train.batch"});
}

}  // namespace

InstancePairs::InstancePairs(const SceneSet& scenes, std::uint64_t seed, std::int64_t component, std::int64_t batch)
    : pictures_(pictures_of_instances(scenes, batch)),
      batch_(batch),
      order_(seed, component, static_cast<std::int64_t>(pictures_.size())) {}

// The incomplete batch at the end of an epoch is left out: filled up from the next one it could hold an instance twice.
Tensor InstancePairs::draw(const StepDraws& draws) const {
  const std::int64_t whole = static_cast<std::int64_t>(pictures_.size()) / batch_;  // batches of an epoch
  const std::int64_t epoch = draws.step() / whole;
  const Tensor instances =
      order_.take(epoch * static_cast<std::int64_t>(pictures_.size()) + draws.step() % whole * batch_, batch_);
  const Tensor chances = draws.uniform("pair", {2, batch_});
  Tensor rows = at::empty({2 * batch_}, instances.options());
  const auto* const instance = instances.const_data_ptr<std::int64_t>();
  const auto* const chance = chances.const_data_ptr<float>();
  auto* const row = rows.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < batch_; ++i) {
    const auto& own = pictures_[static_cast<std::size_t>(instance[i])];
    const std::size_t first = place(chance[i], own.size());
    const std::size_t second = (first + 1 + place(chance[batch_ + i], own.size() - 1)) % own.size();
    row[i] = own[first];
    row[batch_ + i] = own[second];
  }
  return rows;
}

}  // namespace atelier
