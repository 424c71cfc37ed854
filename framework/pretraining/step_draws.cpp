#include "framework/pretraining/step_draws.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randperm.h>
#include <fmt/format.h>

#include <limits>

#include "framework/tensor/random.h"

namespace atelier {
namespace {

constexpr std::size_t kKeptEpochs = 4;
constexpr std::int64_t kOrderSlot = -2;  // apart from the draws of a step

/// A generator of this place and name alone.
at::Generator generator_of(const DrawPlace& place, std::string_view name) {
  RandomDraws draws(place);
  return make_generator(static_cast<std::uint64_t>(draws.below(name, std::numeric_limits<std::int64_t>::max())));
}

}  // namespace

Tensor StepDraws::normal(std::string_view name, at::IntArrayRef shape) const {
  auto generator = generator_of(place_, name);
  return randn(shape, generator);
}

Tensor StepDraws::uniform(std::string_view name, at::IntArrayRef shape) const {
  return at::rand(shape, generator_of(place_, name), at::TensorOptions().dtype(at::kFloat));
}

Tensor StepDraws::below(std::string_view name, std::int64_t n, std::int64_t count) const {
  return at::randint(n, {count}, generator_of(place_, name), at::TensorOptions().dtype(at::kLong));
}

Tensor EpochOrder::epoch(std::int64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = epochs_.find(number);
  if (found != epochs_.end()) return found->second;
  if (epochs_.size() >= kKeptEpochs) epochs_.erase(epochs_.begin());
  auto generator =
      generator_of({.seed = seed_, .stage = component_, .step = number, .slot = kOrderSlot}, "epoch order");
  const Tensor order = at::randperm(count_, generator, at::TensorOptions().dtype(at::kLong));  // [count]
  return epochs_.emplace(number, order).first->second;
}

Tensor EpochOrder::take(std::int64_t begin, std::int64_t n) const {
  std::vector<Tensor> pieces;
  while (n > 0) {
    const std::int64_t offset = begin % count_;
    const std::int64_t length = std::min(n, count_ - offset);
    pieces.push_back(epoch(begin / count_).narrow(0, offset, length));
    begin += length;
    n -= length;
  }
  return at::cat(pieces);
}

}  // namespace atelier
