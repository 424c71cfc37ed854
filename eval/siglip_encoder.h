#pragma once

#include <optional>

#include "eval/encoder.h"
#include "framework/models/siglip_model.h"
#include "framework/text/siglip_tokenizer.h"

namespace atelier::eval {

/// SigLIP, both towers. The tokenizer is loaded when the first text comes.
class SiglipEncoder final : public Encoder {
 public:
  SiglipEncoder(const Json& config, Weights weights, EncoderFiles files);

  [[nodiscard]] Tensor image_features(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor image_features_each(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor text_features(const std::string& text) const override;
  [[nodiscard]] bool on_cpu() const override { return placement_.device.is_cpu(); }
  [[nodiscard]] std::int64_t image_size() const override { return model_.vision().image_size(); }

 private:
  [[nodiscard]] const SiglipTokenizer& tokenizer() const;

  Placement placement_;
  EncoderFiles files_;
  SiglipModel model_;
  mutable std::optional<SiglipTokenizer> tokenizer_;
};

}  // namespace atelier::eval
