#include "framework/formats/view_ops.h"

#include <algorithm>

#include "framework/core/error.h"

namespace atelier {
namespace {

std::vector<std::int64_t> strides_of(const TensorView& view) {
  if (!view.strides.empty()) return view.strides;
  std::vector<std::int64_t> strides(view.shape.size(), 1);
  for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * view.shape[i];
  return strides;
}

}  // namespace

TensorView transposed(const TensorView& view, const std::string& where) {
  if (view.shape.size() != 2) throw Error({.where = where, .found = describe(view), .expected = "a matrix"});
  auto result = view;
  result.strides = strides_of(view);
  std::swap(result.shape[0], result.shape[1]);
  std::swap(result.strides[0], result.strides[1]);
  return result;
}

TensorView part_of_rows(const TensorView& view, std::int64_t index, std::int64_t parts, const std::string& where) {
  if (view.shape.empty() || view.shape[0] % parts != 0) {
    throw Error({.where = where, .found = describe(view), .expected = "a number of rows that divides by 3"});
  }
  auto result = view;
  result.shape[0] = view.shape[0] / parts;
  const auto offset = static_cast<std::size_t>(strides_of(view)[0] * result.shape[0] * index) * dtype_size(view.dtype);
  const auto length =
      view.strides.empty() ? static_cast<std::size_t>(result.numel()) * dtype_size(view.dtype) : std::dynamic_extent;
  result.bytes = view.bytes.subspan(std::min(offset, view.bytes.size()), length);
  return result;
}

TensorView without_trailing_ones(const TensorView& view) {
  const auto rank = view.shape.size();
  if (rank != 3 && rank != 4) return view;
  if (!std::all_of(view.shape.begin() + 2, view.shape.end(), [](std::int64_t size) { return size == 1; })) return view;
  auto result = view;
  result.shape.resize(2);
  if (!result.strides.empty()) result.strides.resize(2);
  return result;
}

}  // namespace atelier
