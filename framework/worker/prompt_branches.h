#pragma once

#include <vector>

#include "framework/methods/method.h"
#include "framework/sampling/guidance.h"

namespace atelier::worker {

/// What a method asks for, encoded: one branch for each that has a weight. The texts are encoded one by one, as in
/// `atelier sample`.
[[nodiscard]] std::vector<Branch> encode_branches(Session& session, const std::vector<PromptBranch>& branches);

}  // namespace atelier::worker
