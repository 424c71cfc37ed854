#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace atelier {

/// B(h) of the paper: h, or e^h − 1.
enum class UniPcType { bh1, bh2 };

struct UniPcForm {
  UniPcType type = UniPcType::bh2;
  bool predict_x0 = true;  ///< the model outputs that are combined are x0; else they are the noise
};

/// x' = sample·x + Σ history[i]·m₋ᵢ + next·m', where m are converted model outputs: m₋₀ at the step's start, m' at its
/// end.
struct UniPcWeights {
  double sample = 0.0;
  std::array<double, 3> history{};
  double next = 0.0;
};

/// For the step from sigmas[from] to sigmas[from + 1]; order 1 to 3, at most from + 1. Not finite where the step has no
/// length, or where an order over 1 ends at σ = 0.
[[nodiscard]] UniPcWeights unipc_predictor(const UniPcForm& form, std::span<const float> sigmas, std::size_t from,
                                           int order);
[[nodiscard]] UniPcWeights unipc_corrector(const UniPcForm& form, std::span<const float> sigmas, std::size_t from,
                                           int order);

}  // namespace atelier
