#include "framework/tensor/placement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "framework/core/error.h"

namespace atelier {

c10::Device parse_device(std::string_view text) {
  if (text == "cpu") return {c10::kCPU};
  int index = 0;
  bool valid = text == "cuda";
  if (text.starts_with("cuda:")) {
    const auto digits = text.substr(5);
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), index);
    valid = error == std::errc{} && end == digits.end() && index >= 0 && index < 128;
  }
  if (!valid) {
    throw Error({.where = "--device", .found = fmt::format("\"{}\"", text), .expected = "cpu, cuda or cuda:<index>"},
                ErrorKind::usage);
  }
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

c10::ScalarType parse_dtype(std::string_view text) {
  if (text == "float32") return c10::kFloat;
  if (text == "bfloat16") return c10::kBFloat16;
  if (text == "float16") return c10::kHalf;
  if (text == "float64") return c10::kDouble;
  throw Error(
      {.where = "--dtype", .found = fmt::format("\"{}\"", text), .expected = "float32, bfloat16, float16 or float64"},
      ErrorKind::usage);
}

c10::ScalarType scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::boolean:
      return c10::kBool;
    case Dtype::u8:
      return c10::kByte;
    case Dtype::i8:
      return c10::kChar;
    case Dtype::i16:
      return c10::kShort;
    case Dtype::u16:
      return c10::kUInt16;
    case Dtype::f16:
      return c10::kHalf;
    case Dtype::bf16:
      return c10::kBFloat16;
    case Dtype::i32:
      return c10::kInt;
    case Dtype::u32:
      return c10::kUInt32;
    case Dtype::f32:
      return c10::kFloat;
    case Dtype::f64:
      return c10::kDouble;
    case Dtype::i64:
      return c10::kLong;
    case Dtype::u64:
      return c10::kUInt64;
  }
  return c10::kByte;
}

Dtype file_dtype(c10::ScalarType type) {
  for (const Dtype dtype : {Dtype::boolean, Dtype::u8, Dtype::i8, Dtype::i16, Dtype::u16, Dtype::f16, Dtype::bf16,
                            Dtype::i32, Dtype::u32, Dtype::f32, Dtype::f64, Dtype::i64, Dtype::u64}) {
    if (scalar_type(dtype) == type) return dtype;
  }
  throw Error({.where = "safetensors",
               .found = fmt::format("a tensor of type {}", c10::toString(type)),
               .expected = "a real number type"});
}

std::string describe(c10::IntArrayRef shape, c10::ScalarType type) {
  return fmt::format("[{}] {}", fmt::join(shape.begin(), shape.end(), ", "), c10::toString(type));
}

}  // namespace atelier
