#pragma once

#include "framework/core/error.h"
#include "framework/training/flat_parameters.h"
#include "framework/training/trainer.h"

// Internal: which tensor of a step is not finite, and whether a saved state fits.
namespace atelier {

[[nodiscard]] Error not_finite(const std::string& where, const std::string& what);

/// Each throws the Error that names the first tensor with a value that is not finite.
void check_parameters(const FlatParameters& parameters, const std::string& where);
void check_gradients(const FlatParameters& parameters, const std::string& where);
void check_terms(Stage& stage, const Loss& loss, const TrainingBatch& batch, const std::string& where);

/// `own`, after a check that `given` holds the same names and shapes.
[[nodiscard]] TensorMap state_checked(TensorMap own, const TensorMap& given);

}  // namespace atelier
