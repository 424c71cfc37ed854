#include "framework/methods/artifact_checks.h"

#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/methods/learned_token.h"

namespace atelier {

void require_full_weight(double weight, const std::string& method, const std::string& why) {
  if (weight == 1.0) return;
  throw Error({.where = method, .found = fmt::format("weight {}", weight), .expected = "1: " + why}, ErrorKind::usage);
}

std::vector<std::string> require_tokens(const TrainedArtifact& artifact, const std::string& method) {
  auto tokens = placeholders_of(artifact.tensors);
  if (!tokens.empty()) return tokens;
  throw Error({.where = method,
               .found = "an artifact without a learned token",
               .expected = "tensors named " + token_parameter("text_encoder", "<placeholder>")});
}

void require_one_encoder(Session& session, const std::string& method, const std::string& advice) {
  if (session.text_towers() == 1) return;
  throw Error({.where = method,
               .found = "a base model with two text encoders (SDXL)",
               .expected = "one of the Stable Diffusion 1 or 2 family",
               .advice = advice},
              ErrorKind::usage);
}

}  // namespace atelier
