#pragma once

#include <vector>

#include "framework/methods/method.h"
#include "framework/sampling/guidance.h"

namespace atelier::worker {

/// The guided step that the method asks for, encoded with what was applied to the session: one branch for each that has
/// a weight. Pictures of `atelier sample`, of studies and of previews all come from here. Texts are encoded one by one.
/// Throws Error when no branch has a weight.
[[nodiscard]] std::vector<Branch> guided_branches(Session& session, const Method& method,
                                                  const GuidanceRequest& request);

}  // namespace atelier::worker
