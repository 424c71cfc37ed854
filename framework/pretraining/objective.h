#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "framework/pretraining/step_draws.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor.h"

namespace atelier {

struct BaseRecipe;
class SceneSet;

/// What an objective is made from. References are borrowed and outlive the objective.
struct ObjectiveInputs {
  const BaseRecipe& recipe;
  const SceneSet& scenes;
  std::filesystem::path out;              ///< the pipeline's folder
  Placement placement;                    ///< device, and type of the activations
  std::function<void()> keep_on = [] {};  ///< called between pieces of long preparations; throws to interrupt them
};

/// How one component learns: its network, what a step draws, the loss of a step, and the files that come of it. The
/// trainer owns loop, optimizer, moving average and snapshots.
class Objective {
 public:
  Objective() = default;
  virtual ~Objective();
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;

  /// Everything that learns, by checkpoint name; the pointers lead to the slots that the network reads. Each holds its
  /// initial value, float32 on the device; the trainer puts another tensor there (of the activations' type, but for
  /// scalars and wide()) and changes it in place.
  [[nodiscard]] virtual std::map<std::string, Tensor*> parameters() = 0;
  /// Parameters that the network reads in float32 whatever the activations are: tables whose rows sum up the gradients
  /// of many tokens, one after the other.
  [[nodiscard]] virtual std::set<std::string> wide() const { return {}; }

  /// Host: indices, noise and whatever else a step draws, as CPU tensors whose shapes and types are the same at every
  /// step. Safe to call from several threads, ahead of the steps.
  [[nodiscard]] virtual TensorMap draw(const StepDraws& draws) const = 0;

  /// Device: the loss of a step, a float32 scalar in the graph. `drawn` is what draw() returned, on the device. No
  /// decision on the host, no files, no randomness, no wait for the device.
  [[nodiscard]] virtual Tensor loss(const TensorMap& drawn) = 0;

  /// Writes the component into the pipeline's folder and returns the files. `values`: float16 on the CPU, by the names
  /// of parameters().
  virtual std::vector<std::filesystem::path> publish(const TensorMap& values) = 0;
};

/// By the recipe's component. Throws Error when an earlier component that it needs is missing, or does not fit.
[[nodiscard]] std::unique_ptr<Objective> make_objective(const ObjectiveInputs& inputs);

[[nodiscard]] std::unique_ptr<Objective> make_vae_objective(const ObjectiveInputs& inputs);
[[nodiscard]] std::unique_ptr<Objective> make_clip_objective(const ObjectiveInputs& inputs);
[[nodiscard]] std::unique_ptr<Objective> make_unet_objective(const ObjectiveInputs& inputs);
[[nodiscard]] std::unique_ptr<Objective> make_segmenter_objective(const ObjectiveInputs& inputs);
[[nodiscard]] std::unique_ptr<Objective> make_judge_objective(const ObjectiveInputs& inputs);

}  // namespace atelier
