#include "framework/training/lr_schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "framework/core/error.h"
#include "framework/training/recipe.h"

namespace atelier {
namespace {

constexpr std::array<const char*, 6> kNames{"constant", "constant_with_warmup", "linear",
                                            "cosine",   "cosine_with_restarts", "polynomial"};
constexpr double kPolynomialEnd = 1e-7;

std::size_t kind_of(const std::string& name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<std::size_t>(found - kNames.begin());
  throw Error({.where = "lr_scheduler", .found = name, .expected = fmt::format("one of {}", fmt::join(kNames, ", "))},
              ErrorKind::usage);
}

double span_of(std::int64_t steps) { return static_cast<double>(std::max<std::int64_t>(1, steps)); }

}  // namespace

LRSchedule::LRSchedule(const TrainSpec& spec)
    : kind_(static_cast<Kind>(kind_of(spec.lr_scheduler))),
      warmup_(spec.lr_warmup_steps),
      total_(spec.lr_total_steps),
      cycles_(spec.lr_num_cycles),
      power_(spec.lr_power) {
  if (kind_ == Kind::constant || kind_ == Kind::constant_with_warmup || total_ > 0) return;
  throw Error({.where = "lr_total_steps",
               .found = std::to_string(total_),
               .expected = fmt::format("the number of steps that {} decays over", spec.lr_scheduler)},
              ErrorKind::usage);
}

double LRSchedule::decay(double progress) const {
  switch (kind_) {
    case Kind::cosine:  // half a cycle
      return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * 0.5 * 2.0 * progress)));
    case Kind::cosine_with_restarts:
      if (progress >= 1.0) return 0.0;
      return std::max(
          0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * std::fmod(static_cast<double>(cycles_) * progress, 1.0))));
    default:
      return 1.0;
  }
}

double LRSchedule::polynomial(std::int64_t step, double initial) const {
  if (!(initial > kPolynomialEnd)) {
    throw Error({.where = "learning_rate",
                 .found = fmt::format("{}", initial),
                 .expected = fmt::format("more than {}, where the polynomial schedule ends", kPolynomialEnd)},
                ErrorKind::usage);
  }
  if (step > total_) return kPolynomialEnd / initial;
  const double remaining = 1.0 - static_cast<double>(step - warmup_) / span_of(total_ - warmup_);
  return ((initial - kPolynomialEnd) * std::pow(remaining, power_) + kPolynomialEnd) / initial;
}

double LRSchedule::factor(std::int64_t step, double initial) const {
  if (kind_ == Kind::constant) return 1.0;
  if (step < warmup_) return static_cast<double>(step) / span_of(warmup_);
  if (kind_ == Kind::polynomial) return polynomial(step, initial);
  // Linear divides what remains, not what has passed: the last bits differ.
  if (kind_ == Kind::linear) return std::max(0.0, static_cast<double>(total_ - step) / span_of(total_ - warmup_));
  return decay(static_cast<double>(step - warmup_) / span_of(total_ - warmup_));
}

}  // namespace atelier
