#include "framework/files/tensor_view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <functional>
#include <numeric>

namespace atelier {
namespace {

struct DtypeRow {
  std::string_view name;
  std::size_t size;  // bytes of one element
};

// In the order of the enumeration.
constexpr std::array<DtypeRow, 13> kDtypes{{{"BOOL", 1},
                                            {"U8", 1},
                                            {"I8", 1},
                                            {"I16", 2},
                                            {"U16", 2},
                                            {"F16", 2},
                                            {"BF16", 2},
                                            {"I32", 4},
                                            {"U32", 4},
                                            {"F32", 4},
                                            {"F64", 8},
                                            {"I64", 8},
                                            {"U64", 8}}};

}  // namespace

std::string_view dtype_name(Dtype dtype) { return kDtypes.at(static_cast<std::size_t>(dtype)).name; }

std::size_t dtype_size(Dtype dtype) { return kDtypes.at(static_cast<std::size_t>(dtype)).size; }

std::int64_t TensorView::numel() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string describe(const TensorView& view) {
  return fmt::format("[{}] {}", fmt::join(view.shape, ", "), dtype_name(view.dtype));
}

}  // namespace atelier
