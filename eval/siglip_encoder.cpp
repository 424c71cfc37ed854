#include "eval/siglip_encoder.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "eval/text_check.h"
#include "framework/core/error.h"

namespace atelier::eval {

SiglipEncoder::SiglipEncoder(const Json& config, Weights weights, EncoderFiles files)
    : placement_(weights.placement()), files_(std::move(files)), model_(config, std::move(weights)) {}

Tensor SiglipEncoder::image_features(const Tensor& pixel_values) const {
  const at::NoGradGuard no_grad;
  return as_host_floats(model_.image_features(pixel_values.to(placement_.device, placement_.dtype)));
}

Tensor SiglipEncoder::image_features_each(const Tensor& pixel_values) const {
  const at::NoGradGuard no_grad;
  return as_host_floats(model_.vision().features_each(pixel_values.to(placement_.device, placement_.dtype)));
}

const SiglipTokenizer& SiglipEncoder::tokenizer() const {
  if (tokenizer_) return *tokenizer_;
  auto loaded = SiglipTokenizer::load(tokenizer_folder(files_, {"spiece.model", "tokenizer.json"}));
  if (loaded.length() != model_.text().config().positions) {
    throw Error({.where = files_.folder.string(),
                 .found = fmt::format("a tokenizer of {} ids a text", loaded.length()),
                 .expected = fmt::format("{}, the positions of the text tower", model_.text().config().positions),
                 .advice = "set model_max_length in tokenizer_config.json"});
  }
  return tokenizer_.emplace(std::move(loaded));
}

Tensor SiglipEncoder::text_features(const std::string& text) const {
  const at::NoGradGuard no_grad;
  require_text_fits(text, tokenizer().tokens(text).size(), 1, tokenizer().length());
  const auto ids = tokenizer().encode(text);
  const Tensor row = at::tensor(ids, at::TensorOptions().dtype(at::kLong)).unsqueeze(0);  // [1, L]
  return as_host_floats(model_.text_features(row.to(placement_.device))).squeeze(0);
}

}  // namespace atelier::eval
