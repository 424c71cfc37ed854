#include "reports/feature_file.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/safetensors.h"

namespace atelier::reports {
namespace {

template <typename T>
T element(const TensorView& view, std::int64_t i) {
  T value{};
  std::memcpy(&value, view.bytes.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

double half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const double size = exponent == 0    ? std::ldexp(fraction, -24)
                      : exponent == 31 ? std::nan("")
                                       : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000U) != 0 ? -size : size;
}

double number_at(const TensorView& view, std::int64_t i) {
  switch (view.dtype) {
    case Dtype::f64:
      return element<double>(view, i);
    case Dtype::f32:
      return static_cast<double>(element<float>(view, i));
    case Dtype::bf16:
      return static_cast<double>(
          std::bit_cast<float>(static_cast<std::uint32_t>(element<std::uint16_t>(view, i)) << 16));
    default:
      return half(element<std::uint16_t>(view, i));
  }
}

bool is_real(Dtype dtype) {
  return dtype == Dtype::f64 || dtype == Dtype::f32 || dtype == Dtype::bf16 || dtype == Dtype::f16;
}

}  // namespace

FeatureRows read_features(const std::string& text) {
  const auto colon = text.rfind(':');
  const bool whole = std::filesystem::exists(text) || colon == std::string::npos;
  const std::string path = whole ? text : text.substr(0, colon), name = whole ? "features" : text.substr(colon + 1);
  const TensorFile file = read_safetensors(path);
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) {
    std::vector<std::string> names;
    for (const auto& [known, view] : file.tensors) names.push_back(known);
    throw Error({.where = path,
                 .found = fmt::format("no tensor \"{}\"", name),
                 .expected = names.empty() ? "features" : "one of " + join(names, ", ", 20),
                 .advice = "name it: FILE:TENSOR"});
  }
  const TensorView& view = found->second;
  FeatureRows rows{.where = fmt::format("{}: {}", path, name), .rows = 0, .width = 0, .values = {}};
  if (view.shape.size() != 2 || view.shape[1] < 1 || !is_real(view.dtype)) {
    throw Error({.where = rows.where, .found = describe(view), .expected = "[N, F] of floating-point numbers"});
  }
  rows.rows = view.shape[0];
  rows.width = view.shape[1];
  rows.values.reserve(static_cast<std::size_t>(view.numel()));
  for (std::int64_t i = 0; i < view.numel(); ++i) {
    rows.values.push_back(number_at(view, i));
    if (std::isfinite(rows.values.back())) continue;
    throw Error({.where = rows.where,
                 .found = fmt::format("a value that is not finite in row {}", i / rows.width),
                 .expected = "finite numbers"});
  }
  return rows;
}

}  // namespace atelier::reports
