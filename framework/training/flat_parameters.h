#pragma once

#include <vector>

#include "framework/training/stage.h"

namespace atelier {

/// Everything that learns, side by side in one buffer, and its gradients in another: one pass of the optimizer, one
/// reduction for the norm, one fill to clear. The tensors that the session holds keep their identity: their storage is
/// made to lie in the buffer, so they (and views of them) see every update, and their grad() is a view of `gradients`.
///
/// Order: groups that are trained, then norm_only, then accumulated; only the first are moved into `values`. Each
/// tensor begins at a multiple of 64 bytes; the gaps stay zero.
class FlatParameters {
 public:
  struct Slot {
    Parameter parameter;
    std::size_t group = 0;
    std::int64_t offset = 0;  ///< in elements
  };
  struct Range {
    std::int64_t begin = 0, end = 0;
    [[nodiscard]] std::int64_t size() const { return end - begin; }
  };

  /// Throws Error when nothing is trained, a name comes twice, a tensor is no leaf that requires a gradient, shares
  /// its storage, or differs from the others in device or type (float32 or float64).
  explicit FlatParameters(std::vector<ParamGroup> groups);
  /// Gives every trained tensor storage of its own again: views of it may outlive this object.
  ~FlatParameters();
  FlatParameters(const FlatParameters&) = delete;
  FlatParameters& operator=(const FlatParameters&) = delete;

  [[nodiscard]] const std::vector<ParamGroup>& groups() const { return groups_; }  ///< in the buffer's order
  /// Where the group stood in the constructor's list.
  [[nodiscard]] std::size_t source(std::size_t group) const { return sources_[group]; }
  [[nodiscard]] Range range(std::size_t group) const { return ranges_[group]; }
  [[nodiscard]] const std::vector<Slot>& slots() const { return slots_; }
  [[nodiscard]] const Tensor& values() const { return values_; }        ///< [T] of the trained groups
  [[nodiscard]] const Tensor& gradients() const { return gradients_; }  ///< [all]
  [[nodiscard]] std::int64_t trained_numbers() const;                   ///< without the gaps
  [[nodiscard]] bool trained(const Slot& slot) const { return groups_[slot.group].role == ParamGroup::Role::trained; }

  /// A tensor of a flat buffer laid out as the slot's parameter.
  [[nodiscard]] static Tensor view(const Tensor& buffer, const Slot& slot);
  /// Clears the gradients of trained and norm_only groups.
  void zero_gradients();

 private:
  void sort(std::vector<ParamGroup> groups);
  void place_slots();
  void adopt(const Slot& slot);

  std::vector<ParamGroup> groups_;
  std::vector<std::size_t> sources_;
  std::vector<Range> ranges_;
  std::vector<Slot> slots_;
  Tensor values_, gradients_;
  std::int64_t accumulated_begin_ = 0;
};

}  // namespace atelier
