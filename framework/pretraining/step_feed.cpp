#include "framework/pretraining/step_feed.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>

namespace atelier {
namespace {

constexpr std::int64_t kMostSteps = 50;
constexpr std::int64_t kMostBytes = std::int64_t{32} << 20;  // of one chunk

}  // namespace

StepFeed::StepFeed(const Objective& objective, std::uint64_t seed, std::int64_t component, c10::Device device,
                   std::int64_t first, std::int64_t end)
    : objective_(objective),
      seed_(seed),
      component_(component),
      device_(device),
      next_(first),
      end_(end),
      drawn_(first) {
  if (first >= end) return;
  std::int64_t bytes = 1;
  for (const auto& [name, tensor] : draw_one(first)) bytes += static_cast<std::int64_t>(tensor.nbytes());
  chunk_steps_ = std::clamp<std::int64_t>(kMostBytes / bytes, 1, kMostSteps);
}

StepFeed::~StepFeed() {
  if (ahead_.valid()) ahead_.wait();
}

TensorMap StepFeed::draw_one(std::int64_t step) const {
  const at::NoGradGuard no_grad;
  return objective_.draw(StepDraws(seed_, component_, step));
}

TensorMap StepFeed::draw(std::int64_t first, std::int64_t count) const {
  TensorMap chunk;
  for (const auto& [name, tensor] : draw_one(first)) {
    std::vector<std::int64_t> shape{count};
    shape.insert(shape.end(), tensor.sizes().begin(), tensor.sizes().end());
    chunk.emplace(name, at::empty(shape, tensor.options().pinned_memory(device_.is_cuda())));
  }
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad;
    for (std::int64_t i = begin; i < end; ++i) {
      for (const auto& [name, tensor] : draw_one(first + i)) chunk.at(name).select(0, i).copy_(tensor);
    }
  });
  return chunk;
}

void StepFeed::draw_ahead() {
  const std::int64_t first = drawn_, count = std::min(chunk_steps_, end_ - drawn_);
  if (count <= 0) return;
  drawn_ += count;
  // On a CPU the cores are busy with the steps themselves: drawn when asked for.
  const auto policy = device_.is_cuda() ? std::launch::async : std::launch::deferred;
  ahead_ = std::async(policy, [this, first, count] { return draw(first, count); });
}

TensorMap StepFeed::next() {
  const at::NoGradGuard no_grad;
  if (chunk_at_ == chunk_size_) {
    if (!ahead_.valid()) draw_ahead();
    chunk_.clear();
    for (const auto& [name, tensor] : ahead_.get()) {
      chunk_size_ = tensor.size(0);
      chunk_.emplace(name, tensor.to(device_, /*non_blocking=*/true));
    }
    chunk_at_ = 0;
    draw_ahead();
  }
  TensorMap step;
  for (const auto& [name, tensor] : chunk_) step.emplace(name, tensor.select(0, chunk_at_));
  ++chunk_at_;
  ++next_;
  return step;
}

}  // namespace atelier
