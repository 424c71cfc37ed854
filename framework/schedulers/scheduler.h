#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/json.h"
#include "framework/schedulers/noise_schedule.h"

namespace atelier {

/// A sampler: walks from noise to an image's latents, one model call after the other. The rules and every number are
/// those of diffusers 0.42.1. A call is an index into timesteps(), from 0; the state of multistep solvers is kept
/// inside.
///
///     scheduler->set_timesteps(50);
///     latents = noise * scheduler->init_noise_sigma();
///     for (call = 0; call < scheduler->timesteps().size(); ++call) {
///       noise_pred = unet(scheduler->scale_model_input(latents, call), timesteps()[call], context);
///       latents = scheduler->step(noise_pred, call, latents, scheduler->draws_noise(call) ? randn() : at::Tensor());
///     }
///
/// Scalar coefficients are float32, computed once in set_timesteps. Tensors are computed in float32 (float64 when the
/// sample is float64) and the result has the sample's dtype; nothing here waits for a device.
class Scheduler {
 public:
  virtual ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Plans a walk of N = num_inference_steps and forgets the last one. Throws (usage) when N is not possible here.
  void set_timesteps(std::int64_t num_inference_steps);

  /// One for each model call; fractional for Euler with linspace spacing or Karras sigmas. PNDM makes N + 1
  /// calls (N + 9 with the Runge-Kutta start).
  [[nodiscard]] const std::vector<double>& timesteps() const { return timesteps_; }
  /// One for each call and the final one; empty for the schedulers that work on ᾱ (DDPM, DDIM, PNDM, LCM).
  [[nodiscard]] const std::vector<float>& sigmas() const { return sigmas_; }
  /// What unit-variance latents are multiplied with before call 0. Valid after set_timesteps.
  [[nodiscard]] double init_noise_sigma() const { return init_noise_sigma_; }

  /// What the model sees: the sample itself, or sample/√(σ²+1) for Euler.
  [[nodiscard]] virtual at::Tensor scale_model_input(const at::Tensor& sample, std::size_t call) const;
  /// Whether timesteps are real numbers (Euler and Euler ancestral) rather than indices into the training schedule.
  [[nodiscard]] virtual bool fractional_timesteps() const { return false; }
  /// Whether diffusers draws noise of the sample's shape at this call.
  [[nodiscard]] virtual bool draws_noise(std::size_t call) const;

  /// The sample after this call. Calls come in order, from 0; all tensors have one shape and device. `step_noise` is
  /// standard normal where draws_noise(call), and is not looked at elsewhere.
  [[nodiscard]] at::Tensor step(const at::Tensor& noise_pred, std::size_t call, const at::Tensor& sample,
                                const at::Tensor& step_noise);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const NoiseSchedule& noise_schedule() const { return schedule_; }
  [[nodiscard]] PredictionType prediction_type() const { return prediction_type_; }

 protected:
  Scheduler(std::string name, const NoiseSchedule& schedule, PredictionType prediction_type);

  /// Fills timesteps_, and sigmas_, init_noise_sigma_ and the coefficients of every call; drops the state.
  virtual void plan(std::int64_t steps) = 0;
  /// One call. All tensors have the compute dtype; step_noise is undefined unless draws_noise(call).
  virtual at::Tensor advance(const at::Tensor& noise_pred, std::size_t call, const at::Tensor& sample,
                             const at::Tensor& step_noise) = 0;
  /// Throws: these coefficients are infinite or not a number, so that the walk would be.
  void check_finite(std::initializer_list<double> coefficients, std::size_t call) const;
  /// ᾱ at an integer timestep of the plan.
  [[nodiscard]] float alpha_bar(double timestep) const;

  std::vector<double> timesteps_ = {};
  std::vector<float> sigmas_ = {};
  double init_noise_sigma_ = 1.0;

 private:
  void check_timestep(double timestep) const;
  void check_step(const at::Tensor& noise_pred, std::size_t call, const at::Tensor& sample,
                  const at::Tensor& step_noise) const;

  std::string name_;
  NoiseSchedule schedule_;
  PredictionType prediction_type_;
  std::size_t next_call_ = 0;
};

/// ddim, ddpm, dpmpp_2m, dpmpp_2m_karras, euler, euler_ancestral, lcm, pndm, unipc.
[[nodiscard]] std::span<const std::string> scheduler_names();

/// Builds the scheduler `name` from a parsed scheduler_config.json, whatever class wrote that file: its keys are kept,
/// absent ones take the defaults of the class being built, and keys that the class does not know are ignored.
/// `overrides` is an object of keys that win over the file (or null). Throws Error for an unknown name or override
/// (usage), and for a value outside the supported set, naming key, value and what is supported.
[[nodiscard]] std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const Json& config,
                                                        const Json& overrides);
[[nodiscard]] std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const Json& config);

}  // namespace atelier
