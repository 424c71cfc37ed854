#include "framework/worker/probe_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"

namespace atelier::worker {
namespace {

std::string in_words(const std::string& name, const std::string& shape, bool integral) {
  return fmt::format("{} {} {}", name, shape, integral ? "int64" : "float32");
}

}  // namespace

ProbeInputs::ProbeInputs(const std::string& path) : path_(path), content_(read_named_tensors(path)) {}

std::int64_t ProbeInputs::steps() const {
  const auto found = content_.metadata.find("steps");
  const auto fail = [&](const std::string& text) {
    throw Error({.where = path_,
                 .found = text,
                 .expected = "__metadata__[\"steps\"], the number of optimizer steps as JSON, 1 or more"});
  };
  if (found == content_.metadata.end()) fail("no metadata \"steps\"");
  const Json steps = parse_json(found->second, path_ + ": steps");
  if (!steps.is_number_integer() || steps.get<std::int64_t>() < 1) fail("steps " + found->second);
  return steps.get<std::int64_t>();
}

Tensor ProbeInputs::optional(const std::string& name, const std::string& shape, std::int64_t rank, bool integral) {
  return has(name) ? take(name, shape, rank, integral) : Tensor();
}

Tensor ProbeInputs::take(const std::string& name, const std::string& shape, std::int64_t rank, bool integral) {
  const auto found = content_.tensors.find(name);
  if (found == content_.tensors.end()) {
    throw Error({.where = path_, .found = "no tensor " + name, .expected = in_words(name, shape, integral)});
  }
  used_.insert(name);
  const Tensor& tensor = found->second;
  const bool kind =
      integral ? tensor.scalar_type() == at::kLong || tensor.scalar_type() == at::kInt : tensor.is_floating_point();
  if (kind && tensor.dim() == rank && tensor.numel() > 0) return tensor;
  throw Error({.where = path_ + ": " + name,
               .found = describe(tensor.sizes(), tensor.scalar_type()),
               .expected = in_words(name, shape, integral)});
}

std::vector<std::string> ProbeInputs::texts(const std::string& name, std::int64_t count) {
  const auto expected = fmt::format("__metadata__[\"{}\"], a JSON array of {} strings", name, count);
  const auto found = content_.metadata.find(name);
  if (found == content_.metadata.end()) {
    throw Error({.where = path_, .found = fmt::format("no metadata \"{}\"", name), .expected = expected});
  }
  used_.insert(name);
  const Json list = parse_json(found->second, path_ + ": " + name);
  const bool strings =
      list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& t) { return t.is_string(); });
  if (strings && static_cast<std::int64_t>(list.size()) == count) return list.get<std::vector<std::string>>();
  throw Error({.where = path_ + ": " + name, .found = found->second.substr(0, 80), .expected = expected});
}

TensorMap ProbeInputs::all(const std::string& prefix, bool keep) {
  TensorMap chosen;
  for (const auto& [name, tensor] : content_.tensors) {
    if (!name.starts_with(prefix)) continue;
    used_.insert(name);
    chosen.emplace(keep ? name : name.substr(prefix.size()), tensor);
  }
  return chosen;
}

void ProbeInputs::finish(const std::string& expected) const {
  const auto check = [&](const std::string& name, const char* what) {
    if (used_.contains(name)) return;
    throw Error({.where = path_, .found = fmt::format("an unknown {} {}", what, name), .expected = expected});
  };
  for (const auto& [name, tensor] : content_.tensors) check(name, "tensor");
  for (const auto& [name, text] : content_.metadata) {
    if (name.starts_with("batch.")) check(name, "text");
  }
}

Tensor ProbeDraws::element(std::string_view name, std::int64_t index, bool integral, const std::string& meaning) {
  const std::string full = batch_ + std::string(name);
  const auto shape = fmt::format("[{} or more]", index + 1);
  if (!inputs_.has(full)) {
    throw Error({.where = inputs_.path(),
                 .found = "no tensor " + full,
                 .expected = fmt::format("{}, {}", in_words(full, shape, integral), meaning)});
  }
  const Tensor values = inputs_.take(full, shape, 1, integral);
  Use& use = uses_[full];
  use.given = values.size(0);
  use.highest = std::max(use.highest, index);
  if (index < values.size(0)) return values[index];
  throw Error({.where = inputs_.path() + ": " + full,
               .found = describe(values.sizes(), values.scalar_type()),
               .expected = fmt::format("{}, {}", in_words(full, shape, integral), meaning)});
}

std::int64_t ProbeDraws::integer(std::string_view name, std::int64_t index, std::int64_t below,
                                 const std::string& meaning) {
  const auto value = element(name, index, true, meaning).item<std::int64_t>();
  if (value >= 0 && value < below) return value;
  throw Error({.where = fmt::format("{}: {}{}[{}]", inputs_.path(), batch_, name, index),
               .found = std::to_string(value),
               .expected = meaning});
}

double ProbeDraws::uniform(std::string_view name, std::int64_t index) {
  return element(name, index, false, "numbers in [0, 1)").item<double>();
}

std::int64_t ProbeDraws::below(std::string_view name, std::int64_t n, std::int64_t index) {
  return integer(name, index, n, fmt::format("each from 0 to {}", n - 1));
}

bool ProbeDraws::happens(std::string_view name, double, std::int64_t index) {
  return integer(name, index, 2, "each 0 or 1") == 1;
}

Tensor ProbeDraws::normal(std::string_view name, at::IntArrayRef shape, std::int64_t index) {
  const auto full = fmt::format("{}{}{}", batch_, name, index == 0 ? "" : fmt::format(".{}", index));
  return inputs_.take(full, describe(shape, at::kFloat), static_cast<std::int64_t>(shape.size())).view(shape);
}

void ProbeDraws::finish() const {
  for (const auto& [name, use] : uses_) {
    if (use.given == use.highest + 1) continue;
    throw Error({.where = inputs_.path() + ": " + name,
                 .found = fmt::format("{} draws", use.given),
                 .expected = fmt::format("{}, one for each that the step makes", use.highest + 1)});
  }
}

}  // namespace atelier::worker
