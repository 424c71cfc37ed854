// A LoRA of small rank in place of a sum of LoRAs; against numpy: tests/parity/truncation.tests.cpp.
#include "framework/methods/truncated_lora.h"

#include <ATen/ops/linalg_svd.h>

#include "framework/core/error.h"
#include "framework/tensor/tensor_io.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

LoraEntry lora_entry(const std::string& module, at::IntArrayRef down, at::IntArrayRef up, double alpha,
                     std::uint64_t seed) {
  return {.module = module,
          .down = to_view(tiny::random(down, seed)),
          .up = to_view(tiny::random(up, seed + 1)),
          .alpha = alpha,
          .rank = down.front()};
}

/// A convolution of 6 channels to 5, with ranks 3 and 2, and a linear layer of one of them.
std::vector<WeightedLora> conv_loras() {
  return {
      {{lora_entry("unet.conv", {3, 6, 3, 3}, {5, 3, 1, 1}, 6.0, 1), lora_entry("unet.line", {3, 2}, {9, 3}, 3.0, 3)},
       0.8},
      {{lora_entry("unet.conv", {2, 6, 3, 3}, {5, 2, 1, 1}, 1.0, 5)}, -1.5}};
}

Tensor update_of(const LoraEntry& entry) {
  return to_tensor(entry.up).flatten(1).to(at::kDouble).matmul(to_tensor(entry.down).flatten(1).to(at::kDouble)) *
         (entry.alpha / static_cast<double>(entry.rank));
}

double update_gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("a truncated LoRA is the sum's largest singular values, of convolutions too", "[methods][merge]") {
  const auto loras = conv_loras();
  const Tensor sum = 0.8 * update_of(loras[0].entries[0]) - 1.5 * update_of(loras[1].entries[0]);
  const auto [left, values, right] = at::linalg_svd(sum, false);
  const auto rank = GENERATE(1, 2, 4);
  const auto cut = truncated(loras, rank);
  REQUIRE(cut.entries.size() == 2);
  const auto& conv = cut.entries[0];
  CHECK(conv.module == "unet.conv");
  CHECK(conv.down.shape == std::vector<std::int64_t>{rank, 6, 3, 3});
  CHECK(conv.up.shape == std::vector<std::int64_t>{5, rank, 1, 1});
  CHECK(conv.alpha == static_cast<double>(rank));
  const Tensor expected = left.narrow(1, 0, rank) * values.narrow(0, 0, rank);
  CHECK(update_gap(update_of(conv), expected.matmul(right.narrow(0, 0, rank))) < 1e-5);
  CHECK(cut.entries[1].rank == std::min(rank, 2));  // the layer is 2 wide
  CHECK((cut.kept < 1.0));
}

TEST_CASE("a truncated LoRA is exact where the rank allows it, and as precise as its halves", "[methods][merge]") {
  auto loras = conv_loras();
  CHECK(truncated(loras, 5).kept == 1.0);
  for (auto& lora : loras) {
    for (auto& each : lora.entries) {
      each.down = to_view(to_tensor(each.down).to(at::kDouble));
      each.up = to_view(to_tensor(each.up).to(at::kDouble));
    }
  }
  const auto cut = truncated(loras, 5);
  CHECK(cut.entries[0].up.dtype == Dtype::f64);
  CHECK(update_gap(update_of(cut.entries[0]),
                   0.8 * update_of(loras[0].entries[0]) - 1.5 * update_of(loras[1].entries[0])) < 1e-12);
  CHECK(update_gap(update_of(cut.entries[1]), 0.8 * update_of(loras[0].entries[1])) < 1e-12);
  CHECK_THROWS_AS(truncated(loras, 0), Error);
  CHECK(truncated({}, 3).entries.empty());
}
