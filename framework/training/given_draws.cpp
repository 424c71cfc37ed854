#include "framework/training/given_draws.h"

#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/tensor/placement.h"

namespace atelier {

void GivenDraws::give(const std::string& name, Outcome outcome, std::int64_t index) {
  outcomes_[{name, index}] = std::move(outcome);
}

void GivenDraws::fail(std::string_view name, std::int64_t index, std::string found, std::string expected) const {
  throw Error({.where = fmt::format("{}: draw {}[{}]", where_, name, index),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = "give the outcome of every random draw that the method makes"});
}

const GivenDraws::Outcome& GivenDraws::find(std::string_view name, std::int64_t index, const char* kind) const {
  const auto found = outcomes_.find({std::string(name), index});
  if (found == outcomes_.end()) fail(name, index, "not given", kind);
  return found->second;
}

double GivenDraws::uniform(std::string_view name, std::int64_t index) {
  const auto* value = std::get_if<double>(&find(name, index, "a number in [0, 1)"));
  if (value == nullptr || !(*value >= 0.0 && *value < 1.0)) fail(name, index, "another value", "a number in [0, 1)");
  return *value;
}

std::int64_t GivenDraws::below(std::string_view name, std::int64_t n, std::int64_t index) {
  const std::string expected = fmt::format("an integer from 0 to {}", n - 1);
  const auto* value = std::get_if<std::int64_t>(&find(name, index, expected.c_str()));
  if (value == nullptr || *value < 0 || *value >= n) fail(name, index, "another value", expected);
  return *value;
}

bool GivenDraws::happens(std::string_view name, double, std::int64_t index) {
  const Outcome& outcome = find(name, index, "true or false");
  if (const auto* flag = std::get_if<bool>(&outcome)) return *flag;
  const auto* number = std::get_if<std::int64_t>(&outcome);
  if (number == nullptr || (*number != 0 && *number != 1)) fail(name, index, "another value", "0 or 1");
  return *number == 1;
}

Tensor GivenDraws::normal(std::string_view name, at::IntArrayRef shape, std::int64_t index) {
  const std::string expected = describe(shape, at::kFloat);
  const auto* tensor = std::get_if<Tensor>(&find(name, index, expected.c_str()));
  if (tensor == nullptr || !tensor->defined()) fail(name, index, "no tensor", expected);
  if (tensor->sizes() != shape) fail(name, index, describe(tensor->sizes(), tensor->scalar_type()), expected);
  return *tensor;
}

}  // namespace atelier
