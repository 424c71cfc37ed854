#pragma once

#include <memory>
#include <string>

#include "framework/methods/method.h"

namespace atelier {

/// A method whose code nobody here has seen: passes every call on, and turns whatever it throws into an Error that
/// names the plugin, the stage and the call. An Error stays what it is, with that in front of its place.
class GuardedMethod final : public Method {
 public:
  GuardedMethod(std::string name, std::shared_ptr<const Method> method)
      : name_(std::move(name)), method_(std::move(method)) {}

  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                                             const PromptLists& lists) const override;
  void apply(Session& session, const TrainedArtifact& artifact, double weight) const override;
  [[nodiscard]] std::map<std::string, TensorSet> files(const TrainedArtifact& artifact,
                                                       const ModuleNames& target) const override;
  [[nodiscard]] std::map<std::string, std::string> other_files(const TrainedArtifact& artifact,
                                                               const ModuleNames& target) const override;
  [[nodiscard]] std::map<std::string, std::string> components(const TrainedArtifact& artifact) const override;
  [[nodiscard]] std::optional<TrainedArtifact> read(const ForeignArtifact& artifact) const override;
  [[nodiscard]] std::vector<PromptBranch> branches(const GuidanceRequest& request) const override;

 private:
  std::string name_;
  std::shared_ptr<const Method> method_;
};

}  // namespace atelier
