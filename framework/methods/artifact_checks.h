#pragma once

#include <string>
#include <vector>

#include "framework/methods/method.h"

namespace atelier {

// What methods ask of an artifact before they apply it, and of a base model before they train on it. All throw Error.

/// Why the artifact of a method that changes weights themselves has no other weight than 1.
inline constexpr const char* kTunedWeights = "the artifact is the tuned weights themselves, not a change of them";

/// A weight of 1 (usage). `why`: what in the method has no strength.
void require_full_weight(double weight, const std::string& method, const std::string& why = kTunedWeights);

/// The placeholders of an artifact that has to hold some.
[[nodiscard]] std::vector<std::string> require_tokens(const TrainedArtifact& artifact, const std::string& method);

/// A base model with one text encoder (usage). `advice`: what to do about SDXL, or why not.
void require_one_encoder(Session& session, const std::string& method, const std::string& advice);

}  // namespace atelier
