#include "framework/methods/method.h"

namespace atelier {

Method::~Method() = default;

std::map<std::string, TensorSet> Method::files(const TrainedArtifact&, const ModuleNames&) const { return {}; }

std::vector<PromptBranch> Method::branches(const GuidanceRequest& request) const {
  std::vector<PromptBranch> branches;
  if (request.guidance != 1.0)
    branches.push_back({.name = "uncond", .text = request.negative, .weight = 1.0 - request.guidance});
  branches.push_back({.name = "cond", .text = request.prompt, .weight = request.guidance});
  return branches;
}

}  // namespace atelier
