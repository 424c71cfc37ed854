#include "framework/schedulers/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/schedulers/factories.h"

namespace atelier {
namespace {

using Factory = std::unique_ptr<Scheduler> (*)(SchedulerSettings&);

constexpr std::size_t kCount = 9;

const std::array<std::string, kCount>& names() {
  static const std::array<std::string, kCount> kNames = {
      "ddim", "ddpm", "dpmpp_2m", "dpmpp_2m_karras", "euler", "euler_ancestral", "lcm", "pndm", "unipc"};
  return kNames;
}

constexpr std::array<Factory, kCount> kFactories = {
    make_ddim, make_ddpm, make_dpmpp_2m, make_dpmpp_2m_karras, make_euler, make_euler_ancestral,
    make_lcm,  make_pndm, make_unipc};

std::string shown(const at::Tensor& tensor) {
  if (!tensor.defined()) return "no tensor";
  std::ostringstream text;
  text << tensor.sizes() << ' ' << tensor.scalar_type() << " on " << tensor.device();
  return text.str();
}

}  // namespace

Scheduler::Scheduler(std::string name, const NoiseSchedule& schedule, PredictionType prediction_type)
    : name_(std::move(name)), schedule_(schedule), prediction_type_(prediction_type) {}

Scheduler::~Scheduler() = default;

void Scheduler::set_timesteps(std::int64_t num_inference_steps) {
  const auto most = schedule_.num_train_timesteps();
  if (num_inference_steps < 1 || num_inference_steps > most) {
    throw Error({.where = fmt::format("[{}] number of steps", name_),
                 .found = std::to_string(num_inference_steps),
                 .expected = fmt::format("1 to {}", most)},
                ErrorKind::usage);
  }
  next_call_ = 0;
  plan(num_inference_steps);
  for (const double timestep : timesteps_) check_timestep(timestep);
}

void Scheduler::check_timestep(double timestep) const {
  const auto last = static_cast<double>(schedule_.num_train_timesteps() - 1);
  if (timestep >= 0 && timestep <= last) return;
  throw Error({.where = fmt::format("[{}] timesteps", name_),
               .found = fmt::format("{}", timestep),
               .expected = fmt::format("0 to {}", last),
               .advice = "take fewer steps, or a smaller steps_offset"},
              ErrorKind::usage);
}

float Scheduler::alpha_bar(double timestep) const {
  check_timestep(timestep);
  return schedule_.alpha_bars()[static_cast<std::size_t>(timestep)];
}

void Scheduler::check_finite(std::initializer_list<double> coefficients, std::size_t call) const {
  if (std::all_of(coefficients.begin(), coefficients.end(), [](double value) { return std::isfinite(value); })) return;
  throw Error({.where = fmt::format("[{}] call {} at timestep {}", name_, call, timesteps_.at(call)),
               .found = "coefficients that are not finite",
               .expected = "noise levels that differ from call to call, and a prediction type that they allow",
               .advice = "take fewer steps, or other values of prediction_type, final_sigmas_type or solver_order"},
              ErrorKind::usage);
}

at::Tensor Scheduler::scale_model_input(const at::Tensor& sample, std::size_t) const { return sample; }

bool Scheduler::draws_noise(std::size_t) const { return false; }

void Scheduler::check_step(const at::Tensor& noise_pred, std::size_t call, const at::Tensor& sample,
                           const at::Tensor& step_noise) const {
  if (call != next_call_ || call >= timesteps_.size()) {
    throw Error({.where = fmt::format("[{}] step", name_),
                 .found = fmt::format("call {} of {}", call, timesteps_.size()),
                 .expected = fmt::format("call {}", next_call_),
                 .advice = "calls come in order; set_timesteps begins a new walk"});
  }
  const auto fits = [&sample](const at::Tensor& tensor) {
    return tensor.defined() && tensor.is_floating_point() && tensor.sizes() == sample.sizes() &&
           tensor.device() == sample.device();
  };
  const auto expected = "the sample's " + shown(sample);
  if (!fits(noise_pred)) {
    throw Error({.where = fmt::format("[{}] noise_pred", name_), .found = shown(noise_pred), .expected = expected});
  }
  if (draws_noise(call) && !fits(step_noise)) {
    throw Error({.where = fmt::format("[{}] step_noise of call {}", name_, call),
                 .found = shown(step_noise),
                 .expected = expected});
  }
}

at::Tensor Scheduler::step(const at::Tensor& noise_pred, std::size_t call, const at::Tensor& sample,
                           const at::Tensor& step_noise) {
  check_step(noise_pred, call, sample, step_noise);
  const auto dtype = sample.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto noise = draws_noise(call) ? step_noise.to(dtype) : at::Tensor();
  const auto next = advance(noise_pred.to(dtype), call, sample.to(dtype), noise);
  ++next_call_;
  return next.to(sample.scalar_type());
}

std::span<const std::string> scheduler_names() { return names(); }

std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const Json& config, const Json& overrides) {
  const auto all = scheduler_names();
  const auto found = std::find(all.begin(), all.end(), name);
  if (found == all.end()) {
    const auto near = nearest(name, all);
    throw Error({.where = "scheduler",
                 .found = fmt::format("\"{}\"", name),
                 .expected = join(all, " or "),
                 .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                ErrorKind::usage);
  }
  SchedulerSettings reader(std::string(name), config, overrides);
  auto scheduler = kFactories[static_cast<std::size_t>(found - all.begin())](reader);
  reader.finish();
  return scheduler;
}

std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const Json& config) {
  return make_scheduler(name, config, Json());
}

}  // namespace atelier
