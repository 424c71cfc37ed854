#include "framework/tensor/weights.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/tensor/tensor_io.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

TensorFile file_with(const TemporaryFolder& folder, const TensorMap& tensors) {
  write_named_tensors(folder / "w.safetensors", {.tensors = tensors, .metadata = {}});
  return read_safetensors(folder / "w.safetensors");
}

}  // namespace

TEST_CASE("weights of the file's own type share its mapping", "[tensor][weights]") {
  const TemporaryFolder folder;
  TensorFile file = file_with(folder, {{"a", at::arange(6, at::kFloat).view({2, 3})}});
  const auto* mapped = static_cast<const void*>(file.tensors.at("a").bytes.data());
  Weights weights(file, {});
  const Tensor a = weights.take("a", {2, 3});
  CHECK(a.const_data_ptr() == mapped);
  CHECK(at::equal(a, at::arange(6, at::kFloat).view({2, 3})));
  CHECK_NOTHROW(weights.check());
}

TEST_CASE("weights report missing, mis-shaped and unexpected tensors in one error", "[tensor][weights]") {
  const TemporaryFolder folder;
  Weights weights(
      file_with(folder, {{"a", at::ones({2, 3})}, {"left", at::ones({1})}, {"x.position_ids", at::ones({1})}}), {});
  CHECK_FALSE(weights.take("a", {3, 2}).defined());
  CHECK_FALSE(weights.take("b", {1}).defined());
  CHECK_THROWS_WITH(weights.check(), Catch::Contains("1 missing: b") &&
                                         Catch::Contains("a is [2, 3] where [3, 2] is wanted") &&
                                         Catch::Contains("1 unexpected: left") && Catch::Contains("w.safetensors"));
}

TEST_CASE("a 1x1 convolution and a linear layer's weight stand for each other", "[tensor][weights]") {
  const TemporaryFolder folder;
  Weights weights(file_with(folder, {{"conv", at::ones({4, 3, 1, 1})}, {"linear", at::ones({4, 3})}}), {});
  CHECK(weights.take("conv", {4, 3}).sizes() == at::IntArrayRef({4, 3}));
  CHECK(weights.take("linear", {4, 3, 1, 1}).sizes() == at::IntArrayRef({4, 3, 1, 1}));
  CHECK_NOTHROW(weights.check());
}

TEST_CASE("placing converts floating tensors and leaves integers", "[tensor][weights]") {
  const TemporaryFolder folder;
  const TensorMap placed = place(file_with(folder, {{"f", at::ones({2})}, {"i", at::ones({2}, at::kLong)}}),
                                 {.device = c10::kCPU, .dtype = c10::kBFloat16});
  CHECK(placed.at("f").scalar_type() == at::kBFloat16);
  CHECK(placed.at("i").scalar_type() == at::kLong);
}

TEST_CASE("named tensors survive a round trip with their metadata", "[tensor][io]") {
  const TemporaryFolder folder;
  const NamedTensors content{.tensors = {{"t", at::arange(5, at::kLong)}, {"s", at::ones({})}},
                             .metadata = {{"k", "v"}}};
  write_named_tensors(folder / "x.safetensors", content);
  const NamedTensors read = read_named_tensors(folder / "x.safetensors");
  CHECK(at::equal(read.tensors.at("t"), content.tensors.at("t")));
  CHECK(read.tensors.at("s").dim() == 0);
  CHECK(read.metadata.at("k") == "v");
}

TEST_CASE("devices and types are read strictly", "[tensor][placement]") {
  CHECK(parse_device("cuda:3") == c10::Device(c10::kCUDA, 3));
  CHECK(parse_dtype("bfloat16") == c10::kBFloat16);
  for (const char* bad : {"gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:1000", ""})
    CHECK_THROWS_AS(parse_device(bad), Error);
  CHECK_THROWS_WITH(parse_dtype("fp16"), Catch::Contains("float16"));
}
