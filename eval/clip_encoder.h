#pragma once

#include <optional>
#include <vector>

#include "eval/encoder.h"
#include "framework/models/clip_model.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::eval {

/// CLIP, both towers. The tokenizer is loaded when the first text comes.
class ClipEncoder final : public Encoder {
 public:
  ClipEncoder(const Json& config, Weights weights, EncoderFiles files);

  [[nodiscard]] Tensor image_features(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor image_features_each(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor text_features(const std::string& text) const override;
  [[nodiscard]] bool on_cpu() const override { return placement_.device.is_cpu(); }
  [[nodiscard]] std::int64_t image_size() const override { return model_.vision().image_size(); }

 private:
  /// Start, the text, end, padding. Throws Error for a text that is too long and for one with an added token.
  [[nodiscard]] std::vector<std::int64_t> encode(const std::string& text) const;
  [[nodiscard]] const ClipTokenizer& tokenizer() const;

  Placement placement_;
  EncoderFiles files_;
  ClipModel model_;
  mutable std::optional<ClipTokenizer> tokenizer_;
};

}  // namespace atelier::eval
