#include "eval/clip_encoder.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "eval/text_check.h"
#include "framework/core/error.h"

namespace atelier::eval {

ClipEncoder::ClipEncoder(const Json& config, Weights weights, EncoderFiles files)
    : placement_(weights.placement()), files_(std::move(files)), model_(config, std::move(weights)) {}

Tensor ClipEncoder::image_features(const Tensor& pixel_values) const {
  const at::NoGradGuard no_grad;
  return as_host_floats(model_.image_features(pixel_values.to(placement_.device, placement_.dtype)));
}

Tensor ClipEncoder::image_features_each(const Tensor& pixel_values) const {
  const at::NoGradGuard no_grad;
  return as_host_floats(model_.vision().features_each(pixel_values.to(placement_.device, placement_.dtype)));
}

Tensor ClipEncoder::text_features(const std::string& text) const {
  const at::NoGradGuard no_grad;
  const auto ids = encode(text);
  const Tensor row = at::tensor(ids, at::TensorOptions().dtype(at::kLong)).unsqueeze(0);  // [1, L]
  return as_host_floats(model_.text_features(row.to(placement_.device))).squeeze(0);
}

const ClipTokenizer& ClipEncoder::tokenizer() const {
  if (!tokenizer_) tokenizer_.emplace(ClipTokenizer::load(tokenizer_folder(files_, {"vocab.json", "tokenizer.json"})));
  return *tokenizer_;
}

std::vector<std::int64_t> ClipEncoder::encode(const std::string& text) const {
  const auto bare = tokenizer().tokens(text);
  const std::int64_t length = std::min(tokenizer().length(), model_.text().config().positions);
  require_text_fits(text, bare.size(), 2, length);
  for (const auto& [token, id] : tokenizer().added_tokens()) {
    if (std::ranges::find(bare, id) == bare.end()) continue;
    throw Error({.where = fmt::format("scoring text \"{}\"", text),
                 .found = fmt::format("the added token {}", token),
                 .expected = "words that the encoder was trained on",
                 .advice = "a learned token may not take part in a score"});
  }
  std::vector<std::int64_t> ids(static_cast<std::size_t>(length), tokenizer().pad_id());
  ids.front() = tokenizer().bos_id();
  std::ranges::copy(bare, ids.begin() + 1);
  ids[bare.size() + 1] = tokenizer().eos_id();
  return ids;
}

}  // namespace atelier::eval
