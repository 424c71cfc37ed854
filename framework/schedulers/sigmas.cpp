#include "framework/schedulers/sigmas.h"

#include <ATen/ops/div.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rsub.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace atelier {

FinalSigma read_final_sigma(SchedulerSettings& config) {
  static constexpr std::array<Word<FinalSigma>, 2> kFinals{
      {{"zero", FinalSigma::zero}, {"sigma_min", FinalSigma::sigma_min}}};
  return config.choice<FinalSigma>("final_sigmas_type", FinalSigma::zero, kFinals);
}

std::vector<float> sigma_table(const NoiseSchedule& schedule) {
  std::vector<float> alpha_bars(schedule.alpha_bars().begin(), schedule.alpha_bars().end());
  if (schedule.zero_terminal_snr()) alpha_bars.back() = std::ldexp(1.0F, -24);
  const auto count = static_cast<std::int64_t>(alpha_bars.size());
  const auto table = at::from_blob(alpha_bars.data(), {count}, at::kFloat);  // [T]
  // pow, not sqrt: on some processors it rounds differently, and the walk from zero SNR magnifies the last bit.
  const auto sigmas = at::pow(at::div(at::rsub(table, 1.0), table), 0.5);
  const auto* begin = sigmas.const_data_ptr<float>();
  return {begin, begin + count};
}

std::vector<double> interpolate_sigmas(std::span<const float> table, std::span<const double> timesteps) {
  std::vector<double> sigmas;
  for (const double timestep : timesteps) {
    const double floor = std::min(std::floor(timestep), static_cast<double>(table.size() - 1));
    const auto low = static_cast<std::size_t>(floor);
    const double left = static_cast<double>(table[low]);
    const double slope = low + 1 < table.size() ? static_cast<double>(table[low + 1]) - left : 0.0;
    sigmas.push_back(slope * (timestep - floor) + left);
  }
  return sigmas;
}

std::vector<double> karras_sigmas(double first, double last, std::int64_t count) {
  constexpr double kRho = 7.0;
  const double from = std::pow(first, 1.0 / kRho);
  const double to = std::pow(last, 1.0 / kRho);
  std::vector<double> sigmas;
  for (std::int64_t i = 0; i < count; ++i) {
    const double ramp = count > 1 ? static_cast<double>(i) * (1.0 / static_cast<double>(count - 1)) : 0.0;
    sigmas.push_back(std::pow(from + (i + 1 == count && i > 0 ? 1.0 : ramp) * (to - from), kRho));
  }
  return sigmas;
}

double sigma_to_timestep(double sigma, std::span<const float> table) {
  const double log_sigma = std::log(std::max(sigma, 1e-10));
  const auto above = std::upper_bound(table.begin(), table.end(), log_sigma, [](double wanted, float value) {
    return wanted < static_cast<double>(std::log(value));
  });
  const auto last_interval = static_cast<std::ptrdiff_t>(table.size()) - 2;
  const auto low = std::clamp<std::ptrdiff_t>(above - table.begin() - 1, 0, last_interval);
  const float left = std::log(table[static_cast<std::size_t>(low)]);
  const float right = std::log(table[static_cast<std::size_t>(low) + 1]);
  const double weight =
      std::clamp((static_cast<double>(left) - log_sigma) / static_cast<double>(left - right), 0.0, 1.0);
  return (1.0 - weight) * static_cast<double>(low) + weight * static_cast<double>(low + 1);
}

SigmaRange read_sigma_range(SchedulerSettings& config) {
  return {.sigma_min = config.optional_number("sigma_min"), .sigma_max = config.optional_number("sigma_max")};
}

NoiseLevel::NoiseLevel(float value)
    : alpha(1.0F / std::sqrt(value * value + 1.0F)), sigma(value * alpha), lambda(std::log(alpha) - std::log(sigma)) {}

}  // namespace atelier
