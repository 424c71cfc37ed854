#pragma once

#include <string>
#include <vector>

#include "framework/models/session.h"
#include "framework/training/stage.h"

namespace atelier {

/// The type that learns: float32 whatever the base's; float64 on a float64 base.
[[nodiscard]] c10::ScalarType trainable_type(const Session& session);
/// A fresh leaf with these values on the base's device, in trainable_type(), that requires a gradient.
[[nodiscard]] Tensor trainable(const Session& session, const Tensor& value);

/// Makes the base's parameters that match learn: float32 copies under their own names, from the base's values or from
/// what `start` holds. Throws Error when nothing matches or a start does not fit.
[[nodiscard]] std::vector<Parameter> unfreeze(Session& session, const Start& start, const std::string& pattern);

/// Replaces the base's parameters by the matching ones of an earlier stage or of an artifact; they stay frozen.
void restore(Session& session, const TensorMap& tensors, const std::string& pattern);

}  // namespace atelier
