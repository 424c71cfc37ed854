#pragma once

#include <future>

#include "framework/pretraining/objective.h"

namespace atelier {

/// The draws of one step after the other, on the device. They are made ahead, many steps at once, and uploaded in one
/// copy a tensor that nobody waits for; on a GPU the next ones are drawn by another thread meanwhile.
class StepFeed {
 public:
  /// Steps first … end - 1. Borrows the objective.
  StepFeed(const Objective& objective, std::uint64_t seed, std::int64_t component, c10::Device device,
           std::int64_t first, std::int64_t end);
  ~StepFeed();
  StepFeed(const StepFeed&) = delete;
  StepFeed& operator=(const StepFeed&) = delete;

  /// The draws of the step after the last one that was asked for.
  [[nodiscard]] TensorMap next();

 private:
  [[nodiscard]] TensorMap draw(std::int64_t first, std::int64_t count) const;
  [[nodiscard]] TensorMap draw_one(std::int64_t step) const;
  void draw_ahead();

  const Objective& objective_;
  std::uint64_t seed_;
  std::int64_t component_;
  c10::Device device_;
  std::int64_t next_, end_, drawn_, chunk_steps_ = 1;
  TensorMap chunk_;  // [steps, …] on the device
  std::int64_t chunk_at_ = 0, chunk_size_ = 0;
  std::future<TensorMap> ahead_;
};

}  // namespace atelier
