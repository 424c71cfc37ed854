#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "framework/tensor/tensor.h"
#include "framework/training/draws.h"

namespace atelier {

/// What one step of a base training draws, on the CPU. Each draw depends on nothing but seed, component, step and name:
/// the same step gives the same draws whenever, and on whatever device, it is computed.
class StepDraws {
 public:
  /// `component`: its ordinal, so that two components of one seed see different numbers. Step -1: initial values.
  StepDraws(std::uint64_t seed, std::int64_t component, std::int64_t step)
      : place_{.seed = seed, .stage = component, .step = step, .slot = -1} {}

  [[nodiscard]] std::int64_t step() const { return place_.step; }
  /// Standard normal float32.
  [[nodiscard]] Tensor normal(std::string_view name, at::IntArrayRef shape) const;
  /// Uniform in [0, 1), float32.
  [[nodiscard]] Tensor uniform(std::string_view name, at::IntArrayRef shape) const;
  /// [count] int64, each uniform in 0 … n - 1.
  [[nodiscard]] Tensor below(std::string_view name, std::int64_t n, std::int64_t count) const;

 private:
  DrawPlace place_;
};

/// The order in which a training sees `count` things: epoch after epoch, each in an order of its own. Any number of
/// threads may ask.
class EpochOrder {
 public:
  EpochOrder(std::uint64_t seed, std::int64_t component, std::int64_t count)
      : seed_(seed), component_(component), count_(count) {}

  /// Places `begin` … `begin + n - 1` of the endless sequence, [n] int64 in 0 … count - 1.
  [[nodiscard]] Tensor take(std::int64_t begin, std::int64_t n) const;

 private:
  [[nodiscard]] Tensor epoch(std::int64_t number) const;

  std::uint64_t seed_;
  std::int64_t component_, count_;
  mutable std::mutex mutex_;
  mutable std::map<std::int64_t, Tensor> epochs_;  // the last few; guarded by mutex_
};

}  // namespace atelier
