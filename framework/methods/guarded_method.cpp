#include "framework/methods/guarded_method.h"

#include <c10/util/Exception.h>

#include <exception>

#include "framework/core/error.h"
#include "framework/tensor/memory_failure.h"

namespace atelier {
namespace {

/// LibTorch's own message ends in a stack trace.
std::string message_of(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

/// Calls `call`; `place()` says where in the plugin that is.
template <typename Place, typename Call>
auto guarded(const Place& place, const Call& call) -> decltype(call()) {
  try {
    return call();
  } catch (const Error& error) {
    Fault fault = error.fault();
    fault.where = fault.where.empty() ? place() : place() + ": " + fault.where;
    throw Error(std::move(fault), error.kind());
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) throw;  // for the loop to answer, in smaller pieces
    throw Error({.where = place(), .found = message_of(error)});
  } catch (...) {
    throw Error({.where = place(), .found = "something thrown that is no exception"});
  }
}

class GuardedStage final : public Stage {
 public:
  /// The stage dies before the method that made it.
  GuardedStage(std::string place, std::shared_ptr<const Method> method, std::unique_ptr<Stage> stage)
      : place_(std::move(place)), method_(std::move(method)), stage_(std::move(stage)) {}

  [[nodiscard]] DataSpec data() const override {
    return in("data", [&] { return stage_->data(); });
  }
  [[nodiscard]] TrainSpec train() const override {
    return in("train", [&] { return stage_->train(); });
  }
  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override {
    return in("attach", [&] { return stage_->attach(session, start, draws); });
  }
  void describe(const Photo& photo, Sample& sample, Draws& draws) override {
    in("describe", [&] { stage_->describe(photo, sample, draws); });
  }
  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override {
    return in("per_step", [&] { return stage_->per_step(samples, draws); });
  }
  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    return in("forward", [&] { return stage_->forward(batch, tensors); });
  }
  [[nodiscard]] bool linear() const override { return stage_->linear(); }
  [[nodiscard]] Tensor combine(Reduced& reduced, const std::map<std::string, double>& weights) const override {
    return in("combine", [&] { return stage_->combine(reduced, weights); });
  }
  void after_step(const StepInfo& info) override {
    in("after_step", [&] { stage_->after_step(info); });
  }
  void save(ArtifactWriter& writer) const override {
    in("save", [&] { stage_->save(writer); });
  }

 private:
  template <typename Call>
  auto in(const char* function, const Call& call) const -> decltype(call()) {
    return guarded([&] { return place_ + ": " + function; }, call);
  }

  std::string place_;
  std::shared_ptr<const Method> method_;
  std::unique_ptr<Stage> stage_;
};

}  // namespace

std::unique_ptr<Stage> GuardedMethod::stage(std::string_view name, const Options& options, const Concept& subject,
                                            const PromptLists& lists) const {
  const std::string place = name_ + ": stage " + std::string(name);
  auto stage = guarded([&] { return place; }, [&] { return method_->stage(name, options, subject, lists); });
  if (!stage) throw Error({.where = place, .found = "no stage of this name was made"});
  return std::make_unique<GuardedStage>(place, method_, std::move(stage));
}

void GuardedMethod::apply(Session& session, const TrainedArtifact& artifact, double weight) const {
  guarded([&] { return name_ + ": apply"; }, [&] { method_->apply(session, artifact, weight); });
}

std::map<std::string, TensorSet> GuardedMethod::files(const TrainedArtifact& artifact,
                                                      const ModuleNames& target) const {
  return guarded([&] { return name_ + ": files"; }, [&] { return method_->files(artifact, target); });
}

std::map<std::string, std::string> GuardedMethod::other_files(const TrainedArtifact& artifact,
                                                              const ModuleNames& target) const {
  return guarded([&] { return name_ + ": other_files"; }, [&] { return method_->other_files(artifact, target); });
}

std::map<std::string, std::string> GuardedMethod::components(const TrainedArtifact& artifact) const {
  return guarded([&] { return name_ + ": components"; }, [&] { return method_->components(artifact); });
}

std::optional<TrainedArtifact> GuardedMethod::read(const ForeignArtifact& artifact) const {
  return guarded([&] { return name_ + ": read"; }, [&] { return method_->read(artifact); });
}

std::vector<PromptBranch> GuardedMethod::branches(const GuidanceRequest& request) const {
  return guarded([&] { return name_ + ": branches"; }, [&] { return method_->branches(request); });
}

}  // namespace atelier
