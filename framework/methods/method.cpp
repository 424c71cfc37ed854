#include "framework/methods/method.h"

namespace atelier {

Method::~Method() = default;

std::map<std::string, TensorSet> Method::files(const TrainedArtifact&, const ModuleNames&) const { return {}; }

std::map<std::string, std::string> Method::other_files(const TrainedArtifact&, const ModuleNames&) const { return {}; }

std::map<std::string, std::string> Method::components(const TrainedArtifact&) const { return {}; }

std::optional<TrainedArtifact> Method::read(const ForeignArtifact&) const { return std::nullopt; }

std::vector<PromptBranch> Method::branches(const GuidanceRequest& request) const {
  if (request.reward) {
    const double guidance = request.guidance, reward = *request.reward;
    const auto of_base = [](const char* name, std::optional<std::string> text, double weight) {
      return PromptBranch{
          .name = name, .text = std::move(text), .edits = false, .adapter_scale = 0.0, .weight = weight};
    };
    return {of_base("uncond", request.negative, 1.0 - guidance),
            of_base("base", request.base_prompt, guidance - reward),
            {.name = "cond", .text = request.prompt, .weight = reward}};
  }
  std::vector<PromptBranch> branches;
  if (request.guidance != 1.0)
    branches.push_back({.name = "uncond", .text = request.negative, .weight = 1.0 - request.guidance});
  branches.push_back({.name = "cond", .text = request.prompt, .weight = request.guidance});
  return branches;
}

}  // namespace atelier
