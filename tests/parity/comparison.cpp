#include "tests/parity/comparison.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "framework/files/safetensors.h"

using namespace atelier;

namespace {

template <typename Value>
std::vector<double> read(const TensorView& view) {
  std::vector<double> values(static_cast<std::size_t>(view.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Value value;  // the bytes need not be aligned
    std::memcpy(&value, view.bytes.data() + i * sizeof(Value), sizeof(Value));
    values[i] = static_cast<double>(value);
  }
  return values;
}

std::string fault(const TensorView& actual, const TensorView& expected, double tolerance) {
  // Whole timesteps are int64 in the reference and may be fractional elsewhere: what counts is their value.
  const bool same_type = actual.dtype == expected.dtype || expected.dtype == Dtype::i64;
  if (!same_type || actual.shape != expected.shape) {
    return fmt::format("is {}; expected {}", describe(actual), describe(expected));
  }
  const double error = deviation(values_of(actual), values_of(expected));
  if (error <= tolerance) return {};
  return fmt::format("deviates by {:.2e}; at most {:.0e} expected", error, tolerance);
}

}  // namespace

std::vector<double> values_of(const TensorView& view) {
  switch (view.dtype) {
    case Dtype::f32:
      return read<float>(view);
    case Dtype::f64:
      return read<double>(view);
    case Dtype::i64:
      return read<std::int64_t>(view);
    case Dtype::u8:
      return read<std::uint8_t>(view);
    default:
      throw std::runtime_error("no reference has this type: " + describe(view));
  }
}

double deviation(const std::vector<double>& actual, const std::vector<double>& expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  double squares = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (!std::isfinite(actual[i])) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(actual[i] - expected[i]));
    squares += expected[i] * expected[i];
  }
  return squares == 0 ? largest : largest / std::sqrt(squares / static_cast<double>(expected.size()));
}

std::string differences(const std::filesystem::path& actual, const std::filesystem::path& expected, double tolerance) {
  if (!std::filesystem::exists(actual)) return actual.filename().string() + " was not written\n";
  const TensorFile ours = read_safetensors(actual);
  const TensorFile theirs = read_safetensors(expected);
  std::string faults;
  for (const auto& [name, view] : theirs.tensors) {
    const auto found = ours.tensors.find(name);
    const std::string text = found == ours.tensors.end() ? "is missing" : fault(found->second, view, tolerance);
    if (!text.empty()) faults += fmt::format("{}: {} {}\n", expected.filename().string(), name, text);
  }
  for (const auto& [name, view] : ours.tensors) {
    if (!theirs.tensors.contains(name))
      faults += fmt::format("{}: unexpected {}\n", expected.filename().string(), name);
  }
  return faults;
}

Json case_of(const std::filesystem::path& reference) {
  return parse_json(read_safetensors(reference).metadata.at("case"), reference.string());
}
