#include "framework/training/flat_parameters.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <memory>
#include <set>

#include "framework/core/error.h"
#include "framework/tensor/placement.h"

namespace atelier {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements: 64 bytes of float32

[[noreturn]] void refuse(const std::string& name, std::string found, std::string expected) {
  throw Error({.where = "parameter " + name, .found = std::move(found), .expected = std::move(expected)});
}

void check(const Parameter& parameter, const Tensor& first, bool moved) {
  const Tensor& tensor = parameter.tensor;
  if (!tensor.defined()) refuse(parameter.name, "no tensor", "a tensor");
  if (!tensor.is_leaf() || !tensor.requires_grad()) {
    refuse(parameter.name, "a tensor that collects no gradient", "a leaf that requires a gradient");
  }
  const auto type = tensor.scalar_type();
  if (type != at::kFloat && type != at::kDouble) {
    refuse(parameter.name, describe(tensor.sizes(), type), "float32 or float64");
  }
  if (type != first.scalar_type() || tensor.device() != first.device()) {
    refuse(parameter.name, fmt::format("{} on {}", describe(tensor.sizes(), type), tensor.device().str()),
           fmt::format("{} on {}, as the other parameters", c10::toString(first.scalar_type()), first.device().str()));
  }
  if (!tensor.is_non_overlapping_and_dense()) refuse(parameter.name, "a tensor with gaps", "a dense tensor");
  if (moved && (tensor.storage_offset() != 0 || tensor.storage().nbytes() != tensor.nbytes())) {
    refuse(parameter.name, "a view of a larger tensor", "a tensor with storage of its own");
  }
}

void check_all(const std::vector<ParamGroup>& groups) {
  const Tensor* first = nullptr;
  std::set<std::string> names;
  std::set<const void*> storages;
  for (const auto& group : groups) {
    const bool moved = group.role == ParamGroup::Role::trained;
    for (const auto& parameter : group.parameters) {
      if (first == nullptr) first = &parameter.tensor;
      check(parameter, *first, moved);
      if (!names.insert(parameter.name).second) refuse(parameter.name, "the name twice", "a name of its own");
      if (moved && !storages.insert(parameter.tensor.storage().unsafeGetStorageImpl()).second) {
        refuse(parameter.name, "storage that another parameter has too", "a tensor with storage of its own");
      }
    }
  }
}

void drop_context(void* context) { delete static_cast<Tensor*>(context); }

/// Lets the tensor's storage lie at `memory`, a dense piece of a buffer that it then keeps alive.
void move_storage(const Tensor& tensor, const Tensor& memory) {
  auto* owner = new Tensor(memory);
  tensor.storage().unsafeGetStorageImpl()->set_data_ptr_noswap(
      c10::DataPtr(memory.mutable_data_ptr(), owner, &drop_context, memory.device()));
}

}  // namespace

FlatParameters::FlatParameters(std::vector<ParamGroup> groups) {
  const at::NoGradGuard no_grad;
  check_all(groups);
  sort(std::move(groups));
  place_slots();
  for (const Slot& slot : slots_) adopt(slot);
}

void FlatParameters::sort(std::vector<ParamGroup> groups) {
  for (const auto role : {ParamGroup::Role::trained, ParamGroup::Role::norm_only, ParamGroup::Role::accumulated}) {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].role != role) continue;
      groups_.push_back(std::move(groups[i]));
      sources_.push_back(i);
    }
  }
}

FlatParameters::~FlatParameters() {
  const at::NoGradGuard no_grad;
  for (const Slot& slot : slots_) {
    if (trained(slot)) move_storage(slot.parameter.tensor, slot.parameter.tensor.clone());
    slot.parameter.tensor.mutable_grad().reset();
  }
}

void FlatParameters::place_slots() {
  std::int64_t offset = 0, trained_end = 0;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::int64_t begin = offset;
    for (const auto& parameter : groups_[g].parameters) {
      slots_.push_back({.parameter = parameter, .group = g, .offset = offset});
      offset += (parameter.tensor.numel() + kAlignment - 1) / kAlignment * kAlignment;
    }
    ranges_.push_back({begin, offset});
    if (groups_[g].role == ParamGroup::Role::trained) trained_end = offset;
    if (groups_[g].role != ParamGroup::Role::accumulated) accumulated_begin_ = offset;
  }
  if (trained_end == 0) {
    throw Error({.where = "parameters", .found = "nothing that is trained", .expected = "at least one parameter"});
  }
  const auto options = slots_.front().parameter.tensor.options().requires_grad(false);
  values_ = at::zeros({trained_end}, options);
  gradients_ = at::zeros({offset}, options);
}

Tensor FlatParameters::view(const Tensor& buffer, const Slot& slot) {
  const Tensor& tensor = slot.parameter.tensor;
  return buffer.as_strided(tensor.sizes(), tensor.strides(), slot.offset);
}

void FlatParameters::adopt(const Slot& slot) {
  const Tensor& tensor = slot.parameter.tensor;
  if (trained(slot)) {
    const Tensor place = view(values_, slot);
    place.copy_(tensor);
    move_storage(tensor, place);
  }
  tensor.mutable_grad() = view(gradients_, slot);
}

std::int64_t FlatParameters::trained_numbers() const {
  std::int64_t count = 0;
  for (const Slot& slot : slots_) count += trained(slot) ? slot.parameter.tensor.numel() : 0;
  return count;
}

void FlatParameters::zero_gradients() { gradients_.narrow(0, 0, accumulated_begin_).zero_(); }

}  // namespace atelier
