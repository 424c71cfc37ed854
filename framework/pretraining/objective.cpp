#include "framework/pretraining/objective.h"

#include "framework/core/error.h"
#include "framework/pretraining/base_recipe.h"

namespace atelier {

Objective::~Objective() = default;

std::unique_ptr<Objective> make_objective(const ObjectiveInputs& inputs) {
  switch (inputs.recipe.component) {
    case BaseComponent::vae:
      return make_vae_objective(inputs);
    case BaseComponent::clip:
      return make_clip_objective(inputs);
    case BaseComponent::unet:
      return make_unet_objective(inputs);
    case BaseComponent::segmenter:
      return make_segmenter_objective(inputs);
    case BaseComponent::judge:
      return make_judge_objective(inputs);
  }
  throw Error({.where = inputs.recipe.path.string(), .found = "an unknown component", .expected = "a known one"});
}

}  // namespace atelier
