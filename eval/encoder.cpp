#include "eval/encoder.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/error.h"
#include "framework/formats/component_folder.h"
#include "framework/models/clip_model.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::eval {
namespace {

namespace fs = std::filesystem;

Tensor to_host(const Tensor& features) { return features.to(at::kCPU, at::kFloat); }

/// The folder that holds the tokenizer's files.
fs::path tokenizer_folder(const EncoderFiles& files) {
  if (!files.tokenizer.empty()) return files.tokenizer;
  for (const char* name : {"vocab.json", "tokenizer.json"}) {
    if (fs::exists(files.folder / name)) return files.folder;
  }
  if (fs::is_directory(files.folder / "tokenizer")) return files.folder / "tokenizer";
  throw Error({.where = files.folder.string(),
               .found = "no tokenizer (vocab.json with merges.txt, or tokenizer.json)",
               .expected = "the tokenizer's files beside config.json",
               .advice = "name a folder that has them"});
}

class ClipEncoder final : public Encoder {
 public:
  ClipEncoder(const Json& config, Weights weights, EncoderFiles files)
      : placement_(weights.placement()), files_(std::move(files)), model_(config, std::move(weights)) {}

  Tensor image_features(const Tensor& pixel_values) const override {
    const at::NoGradGuard no_grad;
    return to_host(model_.image_features(pixel_values.to(placement_.device, placement_.dtype)));
  }

  Tensor text_features(const std::string& text) const override {
    const at::NoGradGuard no_grad;
    const auto ids = encode(text);
    const Tensor row = at::tensor(ids, at::TensorOptions().dtype(at::kLong)).unsqueeze(0);  // [1, L]
    return to_host(model_.text_features(row.to(placement_.device))).squeeze(0);
  }

  bool on_cpu() const override { return placement_.device.is_cpu(); }
  std::int64_t image_size() const override { return model_.vision().image_size(); }

 private:
  [[nodiscard]] std::vector<std::int64_t> encode(const std::string& text) const;
  [[nodiscard]] const ClipTokenizer& tokenizer() const {
    if (!tokenizer_) tokenizer_.emplace(ClipTokenizer::load(tokenizer_folder(files_)));
    return *tokenizer_;
  }

  Placement placement_;
  EncoderFiles files_;
  ClipModel model_;
  mutable std::optional<ClipTokenizer> tokenizer_;  // loaded when the first text comes
};

std::vector<std::int64_t> ClipEncoder::encode(const std::string& text) const {
  const auto bare = tokenizer().tokens(text);
  const std::int64_t length = std::min(tokenizer().length(), model_.text().config().positions);
  const std::string where = fmt::format("scoring text \"{}\"", text);
  if (static_cast<std::int64_t>(bare.size()) > length - 2) {
    throw Error({.where = where,
                 .found = fmt::format("{} tokens", bare.size() + 2),
                 .expected = fmt::format("at most {}, start and end included", length),
                 .advice = "a text that is cut is another question; shorten it"});
  }
  for (const auto& [token, id] : tokenizer().added_tokens()) {
    if (std::ranges::find(bare, id) == bare.end()) continue;
    throw Error({.where = where,
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

class PictureEncoder final : public Encoder {
 public:
  PictureEncoder(std::unique_ptr<ImageEncoder> model, const Placement& placement, std::string where)
      : model_(std::move(model)), placement_(placement), where_(std::move(where)) {}

  Tensor image_features(const Tensor& pixel_values) const override {
    const at::NoGradGuard no_grad;
    return to_host(model_->features(pixel_values.to(placement_.device, placement_.dtype)));
  }
  Tensor text_features(const std::string& text) const override {
    throw Error({.where = where_,
                 .found = fmt::format("the text \"{}\" for an encoder of pictures", text),
                 .expected = "a model with a text half, as CLIP is"});
  }
  bool on_cpu() const override { return placement_.device.is_cpu(); }
  std::int64_t image_size() const override { return model_->image_size(); }

 private:
  std::unique_ptr<ImageEncoder> model_;
  Placement placement_;
  std::string where_;
};

}  // namespace

std::unique_ptr<Encoder> open_encoder(const EncoderFiles& files, const Placement& placement) {
  const auto folder = ComponentFolder::open(files.folder);
  Weights weights(folder.weights({.variant = files.variant, .allow_pickle = files.allow_pickle}), placement);
  const Json& config = folder.config();
  const auto type = config.find("model_type");
  if (type != config.end() && *type == "clip") {
    return std::make_unique<ClipEncoder>(config, std::move(weights), files);
  }
  return std::make_unique<PictureEncoder>(make_image_encoder(config, std::move(weights)), placement,
                                          files.folder.string());
}

}  // namespace atelier::eval
