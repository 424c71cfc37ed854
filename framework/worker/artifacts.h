#pragma once

#include <memory>
#include <string>

#include "framework/formats/lora_targets.h"
#include "framework/methods/method.h"
#include "framework/models/session.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {

/// What the request's artifacts make of a session.
struct AppliedArtifacts {
  /// What `{}` in a prompt stands for: the placeholder, followed by the class word where one is given; with neither,
  /// what the artifact notes as its phrase; "" when there is none.
  std::string phrase;
  std::shared_ptr<const Method> method;  ///< whose guidance counts: the last artifact's that has one, else the base's
};

/// Applies the request's artifacts to the session, in order. LoRA and learned tokens are recognised by content:
/// low-rank adapters have scale alpha / rank times weight times lora_scale. What a training job of ours published is
/// applied by its method; other files and all folders are shown to the installed methods first (Method::read). Throws
/// Error when nobody knows a file, or two methods do.
[[nodiscard]] AppliedArtifacts apply_artifacts(Session& session, const SampleRequest& request);

/// Every layer that an adapter file may mean: those of the UNet and of the text encoders.
[[nodiscard]] ModuleNames module_names(Session& session);

}  // namespace atelier::worker
