#include "framework/formats/lora_values.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "framework/core/error.h"

namespace atelier {
namespace {

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

double from_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) {
    return sign * (fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN());
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

std::uint16_t to_half(double value) {
  const unsigned sign = std::signbit(value) ? 0x8000U : 0U;
  const double size = std::fabs(value);
  unsigned bits = 0;
  if (std::isnan(value)) {
    bits = 0x7E00;
  } else if (size >= 65520.0) {  // halfway between the largest half and the next power of two
    bits = 0x7C00;
  } else if (size < 0x1p-14) {
    bits = static_cast<unsigned>(std::nearbyint(std::ldexp(size, 24)));
  } else {
    const int exponent = std::ilogb(size);
    const auto fraction = static_cast<unsigned>(std::nearbyint(std::ldexp(size, 10 - exponent)));  // 1024 … 2048
    bits = (static_cast<unsigned>(exponent + 15) << 10) + (fraction - 1024);
  }
  return static_cast<std::uint16_t>(sign | bits);
}

double from_brain(std::uint16_t bits) {
  return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
}

std::uint16_t to_brain(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

double element(Dtype dtype, const std::byte* bytes) {
  switch (dtype) {
    case Dtype::f16:
      return from_half(load<std::uint16_t>(bytes));
    case Dtype::bf16:
      return from_brain(load<std::uint16_t>(bytes));
    case Dtype::f32:
      return static_cast<double>(load<float>(bytes));
    case Dtype::f64:
      return load<double>(bytes);
    case Dtype::i64:
      return static_cast<double>(load<std::int64_t>(bytes));
    case Dtype::i32:
      return load<std::int32_t>(bytes);
    case Dtype::i16:
      return load<std::int16_t>(bytes);
    default:
      return std::to_integer<int>(*bytes);
  }
}

bool is_number(Dtype dtype) {
  return is_floating(dtype) || dtype == Dtype::i64 || dtype == Dtype::i32 || dtype == Dtype::i16 || dtype == Dtype::u8;
}

/// Calls `visit` with the address of every element, in row-major order.
template <typename Visit>
void for_each_element(const TensorView& view, Visit visit) {
  const auto size = static_cast<std::int64_t>(dtype_size(view.dtype));
  const auto count = view.numel();
  const auto* first = view.bytes.data();
  if (view.strides.empty()) {
    for (std::int64_t i = 0; i < count; ++i) visit(first + i * size);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i;
    std::int64_t offset = 0;
    for (std::size_t axis = view.shape.size(); axis-- > 0;) {
      offset += rest % view.shape[axis] * view.strides[axis];
      rest /= view.shape[axis];
    }
    visit(first + offset * size);
  }
}

TensorView own(std::shared_ptr<std::vector<std::byte>> bytes, std::vector<std::int64_t> shape, Dtype dtype) {
  const std::span<const std::byte> span(*bytes);
  return {.dtype = dtype, .shape = std::move(shape), .strides = {}, .bytes = span, .owner = std::move(bytes)};
}

template <typename T>
void store(std::byte*& out, T value) {
  std::memcpy(out, &value, sizeof value);
  out += sizeof value;
}

void store_as(std::byte*& out, double value, Dtype dtype) {
  switch (dtype) {
    case Dtype::f16:
      return store(out, to_half(value));
    case Dtype::bf16:
      return store(out, to_brain(value));
    case Dtype::f64:
      return store(out, value);
    default:
      return store(out, static_cast<float>(value));
  }
}

}  // namespace

bool is_floating(Dtype dtype) {
  return dtype == Dtype::f16 || dtype == Dtype::bf16 || dtype == Dtype::f32 || dtype == Dtype::f64;
}

std::vector<double> values_of(const TensorView& view, const std::string& where) {
  if (!is_floating(view.dtype)) {
    throw Error({.where = where, .found = describe(view), .expected = "floating-point numbers"});
  }
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(view.numel()));
  for_each_element(view, [&](const std::byte* bytes) { values.push_back(element(view.dtype, bytes)); });
  return values;
}

double scalar_of(const TensorView& view, const std::string& where) {
  if (view.numel() != 1 || !is_number(view.dtype)) {
    throw Error({.where = where, .found = describe(view), .expected = "a single number"});
  }
  return element(view.dtype, view.bytes.data());
}

TensorView make_view(const std::vector<double>& values, std::vector<std::int64_t> shape, Dtype dtype) {
  auto bytes = std::make_shared<std::vector<std::byte>>(values.size() * dtype_size(dtype));
  auto* out = bytes->data();
  for (const double value : values) store_as(out, value, dtype);
  return own(std::move(bytes), std::move(shape), dtype);
}

TensorView contiguous(const TensorView& view) {
  if (view.strides.empty()) return view;
  const auto size = dtype_size(view.dtype);
  auto bytes = std::make_shared<std::vector<std::byte>>();
  bytes->reserve(static_cast<std::size_t>(view.numel()) * size);
  for_each_element(view, [&](const std::byte* element) { bytes->insert(bytes->end(), element, element + size); });
  return own(std::move(bytes), view.shape, view.dtype);
}

TensorView reshaped(TensorView view, std::vector<std::int64_t> shape) {
  view.shape = std::move(shape);
  return view;
}

}  // namespace atelier
