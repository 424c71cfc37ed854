#include "framework/tensor/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {
namespace {

constexpr std::size_t kListed = 20;

/// A 1×1 convolution and a linear layer hold the same numbers: files of either kind exist.
bool differ_by_kernel_axes(at::IntArrayRef a, at::IntArrayRef b) {
  const auto strip = [](at::IntArrayRef shape) {
    while (shape.size() > 2 && shape.back() == 1) shape = shape.slice(0, shape.size() - 1);
    return shape;
  };
  return strip(a) == strip(b);
}

}  // namespace

Weights::Weights(TensorFile file, Placement placement) : file_(std::move(file)), placement_(placement) {}

Weights::Weights(std::string where, TensorMap tensors, Placement placement)
    : tensors_(std::move(tensors)), placement_(placement) {
  file_.path = std::move(where);
}

Weights::Weights(std::string where, TensorMap tensors, WeightMaker make, Placement placement)
    : Weights(std::move(where), std::move(tensors), placement) {
  make_ = std::move(make);
}

Tensor Weights::take(const std::string& name, at::IntArrayRef shape) {
  taken_.insert(name);
  if (!has(name)) {
    if (make_) return make_(name, shape);
    missing_.push_back(name);
    return {};
  }
  const auto found = this->shape(name);
  const bool same = at::IntArrayRef(found) == shape;
  if (!same && !differ_by_kernel_axes(found, shape)) {
    misshaped_.push_back(fmt::format("{} is [{}] where [{}] is wanted", name, fmt::join(found, ", "),
                                     fmt::join(shape.begin(), shape.end(), ", ")));
    return {};
  }
  const auto placed = tensors_.find(name);
  const Tensor tensor = placed != tensors_.end() ? placed->second : to_tensor(file_.tensors.at(name), placement_);
  return same ? tensor : tensor.reshape(shape);
}

std::vector<std::int64_t> Weights::shape(const std::string& name) const {
  if (const auto placed = tensors_.find(name); placed != tensors_.end()) return placed->second.sizes().vec();
  const auto found = file_.tensors.find(name);
  return found == file_.tensors.end() ? std::vector<std::int64_t>{} : found->second.shape;
}

std::vector<std::string> Weights::names() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : file_.tensors) names.push_back(name);
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

void Weights::ignore_under(const std::string& prefix) {
  for (const auto& name : names()) {
    if (name.starts_with(prefix)) ignore(name);
  }
}

TensorMap place(const TensorFile& file, const Placement& placement) {
  TensorMap tensors;
  for (const auto& [name, view] : file.tensors) tensors.emplace(name, to_tensor(view, placement));
  return tensors;
}

void Weights::check() const {
  std::vector<std::string> unexpected;
  for (const auto& name : names()) {
    if (!taken_.contains(name) && !name.ends_with("position_ids") && !name.ends_with("logit_scale")) {
      unexpected.push_back(name);
    }
  }
  std::vector<std::string> faults;
  if (!missing_.empty())
    faults.push_back(fmt::format("{} missing: {}", missing_.size(), join(missing_, ", ", kListed)));
  if (!misshaped_.empty()) faults.push_back("wrong shape: " + join(misshaped_, ", ", kListed));
  if (!unexpected.empty()) {
    faults.push_back(fmt::format("{} unexpected: {}", unexpected.size(), join(unexpected, ", ", kListed)));
  }
  if (faults.empty()) return;
  throw Error({.where = file_.path,
               .found = join(faults, "; "),
               .expected = "exactly the tensors that its config.json describes",
               .advice = "check that config and weights belong to each other"});
}

}  // namespace atelier
