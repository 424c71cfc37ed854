#include "framework/training/stage.h"

#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/tensor/placement.h"

namespace atelier {

Stage::~Stage() = default;

// Terms are added in the order of their names, so that a sum does not depend on how a stage listed them.
Tensor Stage::combine(Reduced& reduced, const std::map<std::string, double>& weights) const {
  Tensor loss;
  for (const auto& [name, weight] : weights) {
    if (weight == 0.0) continue;
    const Tensor& term = reduced.at(name);
    const Tensor weighted = weight == 1.0 ? term : term * weight;
    loss = loss.defined() ? loss + weighted : weighted;
  }
  if (loss.defined()) return loss;
  throw Error({.where = "loss", .found = "no term with a weight", .expected = "at least one term to minimise"});
}

Tensor Start::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? Tensor() : found->second;
}

Tensor Start::value(const std::string& name, const std::function<Tensor()>& make) const {
  const Tensor given = find(name);
  const Tensor own = make();
  if (given.defined() && given.sizes() != own.sizes()) {
    throw Error({.where = name,
                 .found = describe(given.sizes(), given.scalar_type()),
                 .expected = describe(own.sizes(), own.scalar_type()),
                 .advice = "this start was made with other options or for another base model"});
  }
  // In float64 whatever is given is as exact as the method's own value would be.
  const auto wide = [](const Tensor& tensor) { return tensor.scalar_type() == at::kDouble; };
  const auto type = wide(own) || (given.defined() && wide(given)) ? at::kDouble : at::kFloat;
  const Tensor& source = given.defined() ? given : own;
  return source.detach().to(device_, type, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

}  // namespace atelier
