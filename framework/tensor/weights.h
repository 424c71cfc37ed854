#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "framework/files/tensor_view.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor.h"

namespace atelier {

/// Makes the tensor of a name: what an untrained network starts from. On the placement's device; its type is the
/// maker's choice (float32 for what is to be trained).
using WeightMaker = std::function<Tensor(const std::string& name, at::IntArrayRef shape)>;

/// The tensors of one component while a model is built from them: each is taken once by name, with the shape the
/// architecture wants. check() then reports all that was missing, mis-shaped or left over, in one error.
class Weights {
 public:
  /// From a file; tensors are moved to the placement as they are taken.
  Weights(TensorFile file, Placement placement);
  /// From tensors that are at the placement already and are shared with others: a base. `where` names them in errors.
  Weights(std::string where, TensorMap tensors, Placement placement);
  /// The same, and what is not among `tensors` is made when it is asked for: a network to be trained, or the part of
  /// one that is. has() tells of `tensors` alone.
  Weights(std::string where, TensorMap tensors, WeightMaker make, Placement placement);

  /// The tensor `name`, moved to the placement. Where it is missing or has another shape, the fault is remembered and
  /// an undefined tensor returned. [c, c, 1, 1] and [c, c] are accepted for each other.
  [[nodiscard]] Tensor take(const std::string& name, at::IntArrayRef shape);
  [[nodiscard]] bool has(const std::string& name) const {
    return file_.tensors.contains(name) || tensors_.contains(name);
  }
  /// Shape of a tensor that is there, for architectures that are read off the file; empty when it is not.
  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& name) const;
  /// A tensor that no part of the model uses on purpose.
  void ignore(const std::string& name) { taken_.insert(name); }
  /// The same for every name that begins with `prefix`: the other half of a file.
  void ignore_under(const std::string& prefix);

  /// Throws Error listing (up to 20 of each) missing, mis-shaped and unexpected tensors.
  void check() const;

  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] const std::string& where() const { return file_.path; }

 private:
  [[nodiscard]] std::vector<std::string> names() const;

  TensorFile file_;
  TensorMap tensors_;
  WeightMaker make_;  // empty: what is missing is a fault
  Placement placement_;
  std::set<std::string> taken_;
  std::vector<std::string> missing_;
  std::vector<std::string> misshaped_;
};

/// Every floating tensor of a file at a placement: views of the mapping where type and device already fit.
[[nodiscard]] TensorMap place(const TensorFile& file, const Placement& placement);

}  // namespace atelier
