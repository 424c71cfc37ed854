#include "eval/cached_encoder.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "framework/core/digest.h"

namespace atelier::eval {
namespace {

std::span<const float> values_of(const Tensor& dense) {
  return {dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())};
}

std::string digest_of(const Tensor& pixels) {
  Sha256 digest;
  digest.update(fmt::format("{}", fmt::join(pixels.sizes().begin(), pixels.sizes().end(), "x")));
  digest.update(std::as_bytes(values_of(pixels)));
  return digest.hex();
}

}  // namespace

std::optional<Tensor> CachedEncoder::found(const std::string& input, std::int64_t rows) const {
  auto values = cache_->find(input);
  if (!values || values->empty() || values->size() % static_cast<std::size_t>(rows) != 0) return std::nullopt;
  return at::from_blob(values->data(), {rows, static_cast<std::int64_t>(values->size()) / rows}, at::kFloat).clone();
}

Tensor CachedEncoder::image_features(const Tensor& pixel_values) const {
  const std::string input = digest_of(pixel_values.contiguous());
  if (auto known = found(input, pixel_values.size(0))) return *known;
  const Tensor features = encoder_->image_features(pixel_values).contiguous();
  cache_->put(input, values_of(features));
  return features;
}

Tensor CachedEncoder::image_features_each(const Tensor& pixel_values) const {
  std::vector<Tensor> rows, missing;
  std::vector<std::string> inputs;
  for (std::int64_t i = 0; i < pixel_values.size(0); ++i) {
    const Tensor row = pixel_values.narrow(0, i, 1).contiguous();
    inputs.push_back(digest_of(row));
    rows.push_back(found(inputs.back(), 1).value_or(Tensor()));
    if (!rows.back().defined()) missing.push_back(row);
  }
  if (missing.empty()) return at::cat(rows);
  const Tensor made = encoder_->image_features_each(at::cat(missing)).contiguous();  // [missing, F]
  std::int64_t next = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].defined()) continue;
    rows[i] = made.narrow(0, next++, 1);
    cache_->put(inputs[i], values_of(rows[i]));
  }
  return at::cat(rows);
}

}  // namespace atelier::eval
