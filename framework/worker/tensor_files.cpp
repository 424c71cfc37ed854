#include "framework/worker/tensor_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier::worker {
namespace {

std::string in_words(const Expected& expected) {
  const char* type = expected.either ? "int64 or float32" : expected.integral ? "int64" : "float32";
  return fmt::format("{} {} {}{}", expected.name, expected.shape, type, expected.optional ? " (optional)" : "");
}

std::string all_in_words(const std::vector<Expected>& expected) {
  std::vector<std::string> words;
  for (const auto& one : expected) words.push_back(in_words(one));
  return join(words);
}

void check(const std::string& path, const Expected& expected, const Tensor& tensor) {
  const bool kind =
      expected.either || (expected.integral ? tensor.scalar_type() == at::kLong || tensor.scalar_type() == at::kInt
                                            : tensor.is_floating_point());
  if (tensor.dim() == expected.rank && kind && tensor.numel() > 0) return;
  throw Error({.where = fmt::format("{}: {}", path, expected.name),
               .found = describe(tensor.sizes(), tensor.scalar_type()),
               .expected = in_words(expected)});
}

}  // namespace

TensorMap read_inputs(const std::string& path, const std::vector<Expected>& expected) {
  TensorMap tensors = read_named_tensors(path).tensors;
  for (const auto& one : expected) {
    const auto found = tensors.find(one.name);
    if (found == tensors.end() && one.optional) continue;
    if (found == tensors.end()) {
      throw Error({.where = path, .found = fmt::format("no tensor {}", one.name), .expected = all_in_words(expected)});
    }
    check(path, one, found->second);
  }
  for (const auto& [name, tensor] : tensors) {
    if (std::ranges::none_of(expected, [&](const Expected& one) { return one.name == name; })) {
      throw Error(
          {.where = path, .found = fmt::format("an unknown tensor {}", name), .expected = all_in_words(expected)});
    }
  }
  return tensors;
}

Tensor as_output(const Tensor& tensor) {
  if (!tensor.is_floating_point()) return tensor.to(at::kCPU, at::kLong);
  return tensor.to(at::kCPU, tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat).contiguous();
}

}  // namespace atelier::worker
