#include "framework/models/block_encoder.h"

#include <ATen/ops/cat.h>

namespace atelier {

Tensor BlockEncoder::features(const Tensor& pixel_values) const {
  Tensor x = embed(pixel_values);
  for (const auto& block : blocks_) x = block->forward(x);
  return pool(x);
}

Tensor BlockEncoder::features_each(const Tensor& pixel_values) const {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < pixel_values.size(0); ++i) rows.push_back(embed(pixel_values.narrow(0, i, 1)));
  for (const auto& block : blocks_) {
    for (Tensor& row : rows) row = block->forward(row);
  }
  for (Tensor& row : rows) row = pool(row);
  return at::cat(rows);
}

}  // namespace atelier
