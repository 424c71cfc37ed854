#pragma once

#include <cstdint>
#include <string>

namespace atelier {

struct TrainSpec;

/// The learning-rate schedules of diffusers.optimization, as pure functions of the optimizer step. `constant` ignores
/// the warm-up; `polynomial` ends at 1e-7.
class LRSchedule {
 public:
  /// Takes the lr_… fields. Throws a usage Error for another name, and where a decaying schedule has no total.
  explicit LRSchedule(const TrainSpec& spec);

  /// What a group's learning rate is multiplied by at `step`, from 0. `initial` is the optimizer's own rate (that of
  /// the first group), which only `polynomial` looks at.
  [[nodiscard]] double factor(std::int64_t step, double initial) const;

 private:
  enum class Kind { constant, constant_with_warmup, linear, cosine, cosine_with_restarts, polynomial };
  [[nodiscard]] double decay(double progress) const;
  [[nodiscard]] double polynomial(std::int64_t step, double initial) const;

  Kind kind_ = Kind::constant;
  std::int64_t warmup_ = 0, total_ = 0, cycles_ = 1;
  double power_ = 1.0;
};

}  // namespace atelier
