#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include <optional>
#include <utility>
#include <vector>

#include "eval/encoder.h"

namespace atelier::eval {

/// An encoder with a tower for pictures and one for texts, whose vectors are of one space: what CLIP and SigLIP have in
/// common. `Model` has vision(), image_features() and text_features() of ids; the tokenizer is loaded when the first
/// text comes.
template <class Model, class Tokenizer>
class TwoTowerEncoder : public Encoder {
 public:
  TwoTowerEncoder(const Json& config, Weights weights, EncoderFiles files)
      : placement_(weights.placement()), files_(std::move(files)), model_(config, std::move(weights)) {}

  [[nodiscard]] Tensor image_features(const Tensor& pixel_values) const override {
    const at::NoGradGuard no_grad;
    return as_host_floats(model_.image_features(placed(pixel_values)));
  }
  [[nodiscard]] Tensor image_features_each(const Tensor& pixel_values) const override {
    const at::NoGradGuard no_grad;
    return as_host_floats(model_.vision().features_each(placed(pixel_values)));
  }
  [[nodiscard]] Tensor text_features(const std::string& text) const override {
    const at::NoGradGuard no_grad;
    const Tensor ids = at::tensor(encode(text), at::TensorOptions().dtype(at::kLong)).unsqueeze(0);  // [1, L]
    return as_host_floats(model_.text_features(ids.to(placement_.device))).squeeze(0);
  }
  [[nodiscard]] bool on_cpu() const override { return placement_.device.is_cpu(); }
  [[nodiscard]] std::int64_t image_size() const override { return model_.vision().image_size(); }

 protected:
  /// The ids of a text, padded. Throws Error for one that is too long.
  [[nodiscard]] virtual std::vector<std::int64_t> encode(const std::string& text) const = 0;
  [[nodiscard]] virtual Tokenizer load_tokenizer() const = 0;

  [[nodiscard]] const Tokenizer& tokenizer() const {
    if (!tokenizer_) tokenizer_.emplace(load_tokenizer());
    return *tokenizer_;
  }
  [[nodiscard]] const EncoderFiles& files() const { return files_; }
  [[nodiscard]] const Model& model() const { return model_; }

 private:
  [[nodiscard]] Tensor placed(const Tensor& pixel_values) const {
    return pixel_values.to(placement_.device, placement_.dtype);
  }

  Placement placement_;
  EncoderFiles files_;
  Model model_;
  mutable std::optional<Tokenizer> tokenizer_;
};

}  // namespace atelier::eval
