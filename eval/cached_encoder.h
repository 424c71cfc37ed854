#pragma once

#include <memory>
#include <optional>
#include <string>

#include "eval/encoder.h"
#include "eval/feature_cache.h"

namespace atelier::eval {

/// An encoder that remembers what it computed, by the digest of the pixels that it was given: those are a function of
/// picture, mask and front end, so a picture under another front end is another entry. A call is remembered as a whole,
/// because on a device a row depends, in its last bits, on its place; image_features_each() remembers row by row.
class CachedEncoder final : public Encoder {
 public:
  CachedEncoder(std::unique_ptr<Encoder> encoder, std::unique_ptr<FeatureCache> cache)
      : encoder_(std::move(encoder)), cache_(std::move(cache)) {}

  [[nodiscard]] Tensor image_features(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor image_features_each(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor text_features(const std::string& text) const override { return encoder_->text_features(text); }
  [[nodiscard]] bool on_cpu() const override { return encoder_->on_cpu(); }
  [[nodiscard]] std::int64_t image_size() const override { return encoder_->image_size(); }

 private:
  [[nodiscard]] std::optional<Tensor> found(const std::string& input, std::int64_t rows) const;

  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<FeatureCache> cache_;
};

}  // namespace atelier::eval
