#include "framework/schedulers/noise_schedule.h"

#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/div.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rsub.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sub.h>
#include <c10/util/irange.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <sstream>

#include "framework/core/error.h"

namespace atelier {
namespace {

constexpr std::int64_t kMostTimesteps = 1'000'000;

at::Tensor as_tensor(const std::vector<double>& values) {
  std::vector<float> floats(values.begin(), values.end());
  return at::from_blob(floats.data(), {static_cast<std::int64_t>(floats.size())}, at::kFloat).clone();  // [T]
}

/// torch.linspace in float32, [count], each element rounded once. Its own kernel does so only on processors with fused
/// multiply-add; elsewhere it rounds twice, and the noise a model is trained with must not depend on the processor.
at::Tensor even_floats(double begin, double end, std::int64_t count) {
  const auto first = static_cast<float>(begin);
  const auto last = static_cast<float>(end);
  const float step = (last - first) / static_cast<float>(count - 1);
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(count));
  for (const auto i : c10::irange(count)) {
    const bool early = i < count / 2;
    values.push_back(early ? std::fma(step, static_cast<float>(i), first)
                           : std::fma(-step, static_cast<float>(count - 1 - i), last));
  }
  return at::from_blob(values.data(), {count}, at::kFloat).clone();
}

/// Nichol & Dhariwal 2021 (arXiv:2102.09672), Eq. 17, with each β at most 0.999.
std::vector<double> squaredcos_betas(std::int64_t count) {
  const auto alpha_bar = [](double t) {
    const double cosine = std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2);
    return cosine * cosine;
  };
  std::vector<double> betas;
  const auto total = static_cast<double>(count);
  for (const auto i : c10::irange(count)) {
    const double now = static_cast<double>(i) / total;
    const double next = static_cast<double>(i + 1) / total;
    betas.push_back(std::min(1 - alpha_bar(next) / alpha_bar(now), 0.999));
  }
  return betas;
}

at::Tensor plain_betas(const BetaOptions& options) {
  if (!options.trained_betas.empty()) return as_tensor(options.trained_betas);
  const auto count = options.num_train_timesteps;
  switch (options.beta_schedule) {
    case BetaSchedule::linear:
      return even_floats(options.beta_start, options.beta_end, count);
    case BetaSchedule::scaled_linear: {
      const auto roots = even_floats(std::sqrt(options.beta_start), std::sqrt(options.beta_end), count);
      return at::mul(roots, roots);
    }
    case BetaSchedule::squaredcos_cap_v2:
      return as_tensor(squaredcos_betas(count));
  }
  return {};
}

at::Tensor cumulative_alphas(const at::Tensor& betas) { return at::cumprod(at::rsub(betas, 1.0), 0); }

at::Tensor rescaled_to_zero_snr(const at::Tensor& betas) {
  auto root = at::sqrt(cumulative_alphas(betas));
  const auto first = root.select(0, 0).clone();
  const auto last = root.select(0, -1).clone();
  root.sub_(last);
  root.mul_(at::div(first, at::sub(first, last)));
  const auto alpha_bar = at::mul(root, root);
  const auto count = alpha_bar.size(0);
  const auto ratios = at::div(alpha_bar.narrow(0, 1, count - 1), alpha_bar.narrow(0, 0, count - 1));
  return at::rsub(at::cat({alpha_bar.narrow(0, 0, 1), ratios}), 1.0);
}

std::string shown(const at::Tensor& tensor) {
  if (!tensor.defined()) return "no tensor";
  std::ostringstream text;
  text << tensor.sizes() << ' ' << tensor.scalar_type();
  return text.str();
}

void check(const at::Tensor& latents, const at::Tensor& noise, const at::Tensor& timesteps) {
  const bool same = latents.sizes() == noise.sizes() && latents.is_floating_point() && noise.is_floating_point();
  if (!same) {
    throw Error(
        {.where = "[noise_schedule] noise", .found = shown(noise), .expected = "the latents' " + shown(latents)});
  }
  if (timesteps.dim() != 1 || timesteps.scalar_type() != at::kLong || timesteps.size(0) != latents.size(0)) {
    throw Error({.where = "[noise_schedule] timesteps",
                 .found = shown(timesteps),
                 .expected = fmt::format("[B] int64 with B = {}", latents.size(0))});
  }
}

}  // namespace

BetaOptions read_beta_options(SchedulerSettings& config, ZeroSnr zero_snr, const BetaOptions& fallback) {
  static constexpr std::array<Word<BetaSchedule>, 3> kSchedules{
      {{"linear", BetaSchedule::linear},
       {"scaled_linear", BetaSchedule::scaled_linear},
       {"squaredcos_cap_v2", BetaSchedule::squaredcos_cap_v2}}};
  BetaOptions options;
  options.num_train_timesteps = config.integer("num_train_timesteps", fallback.num_train_timesteps, 2, kMostTimesteps);
  options.beta_start = config.number("beta_start", fallback.beta_start);
  options.beta_end = config.number("beta_end", fallback.beta_end);
  options.beta_schedule = config.choice<BetaSchedule>("beta_schedule", fallback.beta_schedule, kSchedules);
  options.trained_betas = config.numbers("trained_betas");
  if (zero_snr == ZeroSnr::known) options.rescale_betas_zero_snr = config.boolean("rescale_betas_zero_snr", false);

  const auto in_range = [](double beta) { return beta >= 0.0 && beta < 1.0; };
  if (!in_range(options.beta_start))
    config.fail("beta_start", fmt::format("{}", options.beta_start), "a number in [0, 1)");
  if (!in_range(options.beta_end)) config.fail("beta_end", fmt::format("{}", options.beta_end), "a number in [0, 1)");
  const auto& trained = options.trained_betas;
  if (!trained.empty() && (static_cast<std::int64_t>(trained.size()) != options.num_train_timesteps ||
                           !std::all_of(trained.begin(), trained.end(), in_range))) {
    config.fail("trained_betas", fmt::format("{} numbers", trained.size()),
                fmt::format("{} numbers in [0, 1), one for each timestep", options.num_train_timesteps));
  }
  return options;
}

PredictionType read_prediction_type(SchedulerSettings& config) {
  static constexpr std::array<Word<PredictionType>, 3> kTypes{{{"epsilon", PredictionType::epsilon},
                                                               {"v_prediction", PredictionType::v_prediction},
                                                               {"sample", PredictionType::sample}}};
  return config.choice<PredictionType>("prediction_type", PredictionType::epsilon, kTypes);
}

NoiseSchedule::NoiseSchedule(const BetaOptions& options)
    : betas_(plain_betas(options)), zero_terminal_snr_(options.rescale_betas_zero_snr) {
  if (zero_terminal_snr_) betas_ = rescaled_to_zero_snr(betas_);
  alphas_cumprod_ = cumulative_alphas(betas_);
  const auto* begin = alphas_cumprod_.const_data_ptr<float>();
  alpha_bars_.assign(begin, begin + alphas_cumprod_.numel());
}

NoiseSchedule NoiseSchedule::to(at::Device device) const {
  auto copy = *this;
  copy.betas_ = betas_.to(device);
  copy.alphas_cumprod_ = alphas_cumprod_.to(device);
  return copy;
}

NoiseSchedule::Levels NoiseSchedule::levels(const at::Tensor& latents, const at::Tensor& noise,
                                            const at::Tensor& timesteps, bool cast_alphas) const {
  check(latents, noise, timesteps);
  const auto wide = latents.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto dtype = cast_alphas ? latents.scalar_type() : wide;
  auto alpha_bar = alphas_cumprod_.to(latents.device()).index_select(0, timesteps.to(latents.device())).to(dtype);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(latents.dim()), 1);
  shape.front() = latents.size(0);
  alpha_bar = alpha_bar.view(shape);  // [B, 1, …]: broadcasts over one sample's elements
  return {.signal = at::sqrt(alpha_bar), .noise = at::sqrt(at::rsub(alpha_bar, 1.0))};
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& latents, const at::Tensor& noise, const at::Tensor& timesteps,
                                    bool cast_alphas) const {
  const auto level = levels(latents, noise, timesteps, cast_alphas);
  return at::add(at::mul(level.signal, latents), at::mul(level.noise, noise)).to(latents.scalar_type());
}

at::Tensor NoiseSchedule::velocity(const at::Tensor& latents, const at::Tensor& noise, const at::Tensor& timesteps,
                                   bool cast_alphas) const {
  const auto level = levels(latents, noise, timesteps, cast_alphas);
  return at::sub(at::mul(level.signal, noise), at::mul(level.noise, latents)).to(latents.scalar_type());
}

at::Tensor NoiseSchedule::snr(const at::Tensor& timesteps) const {
  const auto alpha_bar = alphas_cumprod_.to(timesteps.device()).index_select(0, timesteps);
  const auto ratio = at::div(at::sqrt(alpha_bar), at::sqrt(at::rsub(alpha_bar, 1.0)));
  return at::mul(ratio, ratio);
}

TrainingNoise read_training_noise(const Json& config) {
  const Json none;
  SchedulerSettings reader("scheduler_config.json", config, none);
  const auto options = read_beta_options(reader, ZeroSnr::known);
  return {.schedule = NoiseSchedule(options), .prediction_type = read_prediction_type(reader)};
}

}  // namespace atelier
