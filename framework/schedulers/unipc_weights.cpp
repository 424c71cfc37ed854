#include "framework/schedulers/unipc_weights.h"

#include <cmath>
#include <utility>

#include "framework/schedulers/sigmas.h"

namespace atelier {
namespace {

using Vector = std::array<float, 3>;

/// What predictor and corrector of one step share, in the reference's float32.
struct Step {
  float sample = 0.0F;  ///< of x
  float first = 0.0F;   ///< of −m₋₀: the first-order part
  float rest = 0.0F;    ///< of −Σ ρ·D: α·B(h) or s·B(h)
  Vector ratios{};      ///< r_k of the earlier outputs, then 1
  Vector targets{};     ///< b of the order conditions
};

Step make_step(const UniPcForm& form, std::span<const float> sigmas, std::size_t from, int order) {
  const NoiseLevel next(sigmas[from + 1]);
  const NoiseLevel now(sigmas[from]);
  const float h = next.lambda - now.lambda;
  const float hh = form.predict_x0 ? -h : h;
  const float phi_1 = std::expm1(hh);
  const float scale = form.type == UniPcType::bh1 ? hh : phi_1;
  const float factor = form.predict_x0 ? next.alpha : next.sigma;

  Step step{.sample = form.predict_x0 ? next.sigma / now.sigma : next.alpha / now.alpha,
            .first = factor * phi_1,
            .rest = factor * scale};
  float phi = phi_1 / hh - 1.0F;
  float factorial = 1.0F;
  for (int i = 1; i <= order; ++i) {
    const auto k = static_cast<std::size_t>(i - 1);
    step.ratios[k] =
        i < order ? (NoiseLevel(sigmas[from - static_cast<std::size_t>(i)]).lambda - now.lambda) / h : 1.0F;
    step.targets[k] = phi * factorial / scale;
    factorial *= static_cast<float>(i + 1);
    phi = phi / hh - 1.0F / factorial;
  }
  return step;
}

/// Solves Σ_k r_k^i ρ_k = b_i for i = 0 … count−1, by elimination with partial pivoting.
Vector solve(const Vector& ratios, const Vector& targets, std::size_t count) {
  std::array<std::array<float, 4>, 3> rows{};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < count; ++k) rows[i][k] = std::pow(ratios[k], static_cast<float>(i));
    rows[i][3] = targets[i];
  }
  for (std::size_t column = 0; column < count; ++column) {
    std::size_t pivot = column;
    for (std::size_t i = column + 1; i < count; ++i) {
      if (std::abs(rows[i][column]) > std::abs(rows[pivot][column])) pivot = i;
    }
    std::swap(rows[column], rows[pivot]);
    for (std::size_t i = column + 1; i < count; ++i) {
      const float factor = rows[i][column] / rows[column][column];
      for (std::size_t k = column; k < 4; ++k) rows[i][k] -= factor * rows[column][k];
    }
  }
  Vector solution{};
  for (std::size_t i = count; i-- > 0;) {
    float sum = rows[i][3];
    for (std::size_t k = i + 1; k < count; ++k) sum -= rows[i][k] * solution[k];
    solution[i] = sum / rows[i][i];
  }
  return solution;
}

/// x' = sample·x − first·m₋₀ − rest·(Σ_{k≥1} ρ_k·(m₋ₖ − m₋₀)/r_k + next·(m' − m₋₀)).
UniPcWeights weights(const Step& step, const Vector& rho, double next, int order) {
  const double rest = step.rest;
  UniPcWeights result{.sample = step.sample, .history = {-static_cast<double>(step.first), 0.0, 0.0}};
  for (int k = 1; k < order; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const double weight = rest * static_cast<double>(rho[i - 1]) / static_cast<double>(step.ratios[i - 1]);
    result.history[i] = -weight;
    result.history[0] += weight;
  }
  if (next != 0.0) {
    result.next = -rest * next;
    result.history[0] += rest * next;
  }
  return result;
}

}  // namespace

UniPcWeights unipc_predictor(const UniPcForm& form, std::span<const float> sigmas, std::size_t from, int order) {
  const auto step = make_step(form, sigmas, from, order);
  // Order 2 takes ρ = 1/2 instead of the solution, as the paper's code does.
  const Vector rho = order > 2 ? solve(step.ratios, step.targets, static_cast<std::size_t>(order - 1)) : Vector{0.5F};
  return weights(step, rho, 0.0, order);
}

UniPcWeights unipc_corrector(const UniPcForm& form, std::span<const float> sigmas, std::size_t from, int order) {
  const auto step = make_step(form, sigmas, from, order);
  const auto count = static_cast<std::size_t>(order);
  const Vector rho = order > 1 ? solve(step.ratios, step.targets, count) : Vector{0.5F};
  return weights(step, rho, rho[count - 1], order);
}

}  // namespace atelier
