#pragma once

#include <string>

#include "framework/formats/lora_targets.h"
#include "framework/models/session.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {

/// Applies the request's artifacts to the session, in order: learned tokens, then low-rank adapters with scale alpha /
/// rank times weight times lora_scale; an artifact that a training job of ours published is applied by its method. Returns what `{}` in a prompt stands for: the placeholder, followed by the class
/// word where one is given; "" when there is neither.
[[nodiscard]] std::string apply_artifacts(Session& session, const SampleRequest& request);

/// Every layer that an adapter file may mean: those of the UNet and of the text encoders.
[[nodiscard]] ModuleNames module_names(Session& session);

}  // namespace atelier::worker
