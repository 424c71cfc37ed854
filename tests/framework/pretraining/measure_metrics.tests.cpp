// Every expected number is worked out by hand beside the case.
#include "framework/pretraining/measure_metrics.h"

#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>

#include "framework/pretraining/measure_pictures.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

double auc(std::vector<double> positives, std::vector<double> negatives) {
  return area_under_curve(positives, negatives);
}

Tensor mask(std::vector<std::int64_t> values) { return at::tensor(values).view({1, 2, 2}).to(at::kBool); }

double iou(std::vector<std::int64_t> found, std::vector<std::int64_t> expected) {
  return intersection_over_union(mask(std::move(found)), mask(std::move(expected))).item<double>();
}

}  // namespace

TEST_CASE("PSNR is 20 dB where every pixel is off by a tenth of the range", "[pretraining][measure]") {
  const Tensor expected = at::zeros({3, 3, 4, 4});
  Tensor found = expected.clone();
  found[0] += 0.2;                            // error² 0.04: 10 log10(4 / 0.04) = 20
  found[1].select(0, 0).select(0, 0) -= 2.0;  // one row of one channel: 4 · 4 of 48 pixels: 10 log10(12)
  const Tensor decibels = psnr(found, expected);
  CHECK(decibels.sizes() == at::IntArrayRef({3}));
  CHECK(decibels[0].item<double>() == Approx(20.0).epsilon(1e-6));
  CHECK(decibels[1].item<double>() == Approx(10.0 * std::log10(12.0)).epsilon(1e-9));
  CHECK(decibels[2].item<double>() == 100.0);  // equal pictures
}

TEST_CASE("retrieval counts the rows whose own text is strictly nearest", "[pretraining][measure]") {
  CHECK(top1(at::tensor({1.0, 0.0, 0.0, 1.0}).view({2, 2})) == 1.0);
  CHECK(top1(at::tensor({0.5, 0.9, 0.1, 0.2}).view({2, 2})) == 0.5);
  CHECK(top1(at::tensor({0.5, 0.5, 0.2, 0.1}).view({2, 2})) == 0.0);  // a tie is a miss
  CHECK(top1(at::full({4, 4}, -3.0)) == 0.0);
}

TEST_CASE("the area under the curve counts a tie half", "[pretraining][measure]") {
  // 0.9 beats both, 0.5 ties with one and beats the other: (2 + 1.5) / 4
  CHECK(auc({0.9, 0.5}, {0.5, 0.1}) == Approx(0.875));
  CHECK(auc({1, 1, 1}, {1, 1}) == Approx(0.5));
  CHECK(auc({2, 3}, {0, 1}) == Approx(1.0));
  CHECK(auc({0, 1}, {2, 3, 4}) == Approx(0.0));
  // 3 beats 1, 2 and ties with 3: 2.5; 1 ties with 1: 0.5; of 2 · 3
  CHECK(auc({3, 1}, {1, 2, 3}) == Approx(3.0 / 6.0));
}

TEST_CASE("intersection over union, also of empty masks", "[pretraining][measure]") {
  CHECK(iou({1, 1, 0, 0}, {1, 0, 1, 0}) == Approx(1.0 / 3.0));
  CHECK(iou({1, 1, 1, 1}, {0, 1, 0, 0}) == Approx(0.25));
  CHECK(iou({0, 0, 0, 0}, {0, 0, 0, 0}) == 1.0);
  CHECK(iou({0, 0, 0, 0}, {0, 1, 0, 0}) == 0.0);
}

TEST_CASE("a word swap changes an attribute when it becomes what was asked and was not before",
          "[pretraining][measure]") {
  const SwapSeen seen{.before = {0, 1, 2}, .after = {0, 3, 1}};
  CHECK(changed_as_asked(seen, 1, 3));
  CHECK_FALSE(changed_as_asked(seen, 1, 2));  // changed into something else
  CHECK_FALSE(changed_as_asked(seen, 0, 0));  // was so before
  CHECK_FALSE(changed_as_asked(seen, 0, 1));
  const std::array<std::size_t, 1> first{0};
  const std::array<std::size_t, 2> both{0, 2};
  CHECK(kept_all(seen, first));
  CHECK_FALSE(kept_all(seen, both));
  CHECK(kept_all(seen, {}));
}

TEST_CASE("a decoder's output becomes the bytes of a file", "[pretraining][measure]") {
  const Tensor pixels = at::tensor({-1.5f, -1.0f, 0.0f, 1.0f, 7.0f, 0.004f}).view({1, 3, 1, 2});
  const Tensor bytes = to_bytes(pixels);  // 127.5 is rounded to even: 128; 0.004: 128.01
  CHECK(bytes.sizes() == at::IntArrayRef({1, 1, 2, 3}));
  CHECK(bytes.equal(at::tensor({0, 128, 255, 0, 255, 128}).view({1, 1, 2, 3}).to(at::kByte)));
}
