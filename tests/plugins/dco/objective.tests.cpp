#include "plugins/dco/objective.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include "framework/training/term_reduction.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;
using dco::gate;
using dco::Objective;

namespace {

TrainingNoise sd_noise(PredictionType type = PredictionType::epsilon) {
  return {.schedule =
              NoiseSchedule({.beta_start = 0.00085, .beta_end = 0.012, .beta_schedule = BetaSchedule::scaled_linear}),
          .prediction_type = type};
}

struct Point {
  double loss, slope;
};

/// Loss and its slope at a difference of the two errors.
Point gate_at(double difference, double beta) {
  const Tensor delta = at::full({}, difference, at::kDouble).requires_grad_();
  const Tensor loss = gate(delta, beta);
  loss.backward();
  return {loss.item<double>(), delta.grad().item<double>()};
}

/// The loss of predictions that are off by constants, and d loss / d own.
Point toy(double own, double reference) {
  const Tensor a = at::full({}, own, at::kDouble).requires_grad_();
  Batch batch;
  batch.target = random_tensor({1, 4, 8, 8}, 3).to(at::kDouble);
  batch.timesteps = at::full({1}, 10, at::kLong);
  const Objective objective({}, sd_noise());
  const auto terms =
      objective.terms(objective.errors(batch.target + a, batch), objective.errors(batch.target + reference, batch));
  const Tensor loss = objective.combine(reduce_terms(terms, {1, 1}, {1, 1}));
  loss.backward();
  return {loss.item<double>(), a.grad().item<double>()};
}

/// The loss of rows with these differences.
double loss_of(const std::vector<double>& differences, bool per_sample) {
  const Objective objective({.beta = 1000.0, .per_sample = per_sample, .snr_gamma = {}}, sd_noise());
  const Tensor own = at::tensor(differences, at::kDouble);
  const Terms terms = objective.terms(own, at::zeros_like(own));
  const auto rows = static_cast<std::int64_t>(differences.size());
  const Reduced reduced = reduce_terms(terms, {rows, rows}, {rows, rows});
  return per_sample ? reduced.at("dco").item<double>() : objective.combine(reduced).item<double>();
}

}  // namespace

TEST_CASE("The gate's loss and slope at the published table's differences", "[dco][objective]") {
  const struct {
    double delta, loss, slope;
  } table[] = {{-0.01, 4.5399e-05, 0.0453979},
               {-0.001, 0.3132617, 268.9414},
               {0, 0.6931472, 500},
               {0.001, 1.3132617, 731.0586},
               {0.01, 10.0000454, 999.9546}};
  for (const auto& row : table) {
    const Point found = gate_at(row.delta, 1000.0);
    CHECK(found.loss == Approx(row.loss).epsilon(1e-5));
    CHECK(found.slope == Approx(row.slope).epsilon(1e-6));
  }
  CHECK(gate_at(0.001, 2000.0).loss == Approx(2.1269280).epsilon(1e-7));
  CHECK(gate_at(0.001, 2000.0).slope == Approx(1761.594).epsilon(1e-6));
}

TEST_CASE("The gate stays finite where the exponential does not", "[dco][objective]") {
  CHECK(gate_at(5.0, 1000.0).loss == Approx(5000.0));
  CHECK(gate_at(5.0, 1000.0).slope == Approx(1000.0));
  CHECK(gate_at(-5.0, 1000.0).loss == 0.0);
  CHECK(gate_at(-5.0, 1000.0).slope == 0.0);
}

TEST_CASE("Predictions that are off by constants: loss and gradient by hand", "[dco][objective]") {
  CHECK(toy(0.10, 0.10).loss == Approx(0.693147).epsilon(1e-6));
  CHECK(toy(0.10, 0.10).slope == Approx(100.0).epsilon(1e-6));
  CHECK(toy(0.11, 0.10).loss == Approx(2.215520).epsilon(1e-6));
  CHECK(toy(0.11, 0.10).slope == Approx(195.9987).epsilon(1e-6));
  CHECK(toy(0.09, 0.10).loss == Approx(0.139387).epsilon(1e-5));
  CHECK(toy(0.09, 0.10).slope == Approx(23.41953).epsilon(1e-6));
}

TEST_CASE("The sigmoid comes after the batch's mean, or before it where asked", "[dco][objective]") {
  CHECK(loss_of({0.01, -0.01}, false) == Approx(0.6931472).epsilon(1e-7));
  CHECK(loss_of({0.01, -0.01}, true) == Approx(5.0000454).epsilon(1e-7));
  CHECK(loss_of({0.003}, true) == Approx(loss_of({0.003}, false)).epsilon(1e-12));
}

TEST_CASE("The noise levels that weights and pictures are made with", "[dco][objective]") {
  const NoiseSchedule schedule = sd_noise().schedule;
  const auto bars = schedule.alpha_bars();
  CHECK(bars[0] == Approx(0.99915).epsilon(1e-6));
  CHECK(bars[500] == Approx(0.2763327).epsilon(1e-6));
  CHECK(bars[999] == Approx(0.00466010).epsilon(1e-5));
  const Tensor snr = schedule.snr(at::tensor({0, 500, 999}, at::kLong));
  CHECK(snr[0].item<double>() == Approx(1175.47).epsilon(1e-4));
  CHECK(snr[1].item<double>() == Approx(0.3818504).epsilon(1e-5));
  CHECK(snr[2].item<double>() == Approx(0.00468192).epsilon(1e-5));
}

TEST_CASE("min-SNR weights both errors: 0.0042536 at timestep 0, 1 at 500 and 999; one more for v",
          "[dco][objective]") {
  Batch batch;
  batch.target = at::zeros({3, 4, 2, 2});
  batch.timesteps = at::tensor({0, 500, 999}, at::kLong);
  const Tensor ones = batch.target + 1.0;
  const dco::LossSettings settings{.beta = 1000.0, .per_sample = false, .snr_gamma = 5.0};
  const Tensor weights = Objective(settings, sd_noise()).errors(ones, batch);
  CHECK(weights[0].item<double>() == Approx(0.0042536).epsilon(1e-4));
  CHECK(weights[1].item<double>() == 1.0);
  CHECK(weights[2].item<double>() == 1.0);
  const Tensor of_v = Objective(settings, sd_noise(PredictionType::v_prediction)).errors(ones, batch);
  CHECK(of_v[0].item<double>() == Approx(1.0042536).epsilon(1e-6));
  CHECK(of_v[2].item<double>() == 2.0);
}

TEST_CASE("A timestep without any signal has weight 1, not NaN", "[dco][objective]") {
  const TrainingNoise noise{.schedule = NoiseSchedule({.beta_start = 0.00085,
                                                       .beta_end = 0.012,
                                                       .beta_schedule = BetaSchedule::scaled_linear,
                                                       .rescale_betas_zero_snr = true}),
                            .prediction_type = PredictionType::epsilon};
  Batch batch;
  batch.target = at::zeros({1, 4, 2, 2});
  batch.timesteps = at::full({1}, 999, at::kLong);
  const Objective objective({.beta = 1000.0, .per_sample = false, .snr_gamma = 5.0}, noise);
  CHECK(objective.errors(batch.target + 1.0, batch).item<double>() == 1.0);
}
