#include "eval/encoder.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/clip_encoder.h"
#include "eval/siglip_encoder.h"
#include "framework/core/error.h"
#include "framework/formats/encoder_source.h"
#include "framework/models/image_encoder.h"

namespace atelier::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDinov2Side = 224;  // its configs name the 518 of its position table

class PictureEncoder final : public Encoder {
 public:
  PictureEncoder(std::unique_ptr<ImageEncoder> model, std::int64_t side, const Placement& placement, std::string where)
      : model_(std::move(model)), side_(side), placement_(placement), where_(std::move(where)) {}

  Tensor image_features(const Tensor& pixel_values) const override {
    const at::NoGradGuard no_grad;
    return as_host_floats(model_->features(pixel_values.to(placement_.device, placement_.dtype)));
  }
  Tensor image_features_each(const Tensor& pixel_values) const override {
    const at::NoGradGuard no_grad;
    return as_host_floats(model_->features_each(pixel_values.to(placement_.device, placement_.dtype)));
  }
  Tensor text_features(const std::string& text) const override {
    throw Error({.where = where_,
                 .found = fmt::format("the text \"{}\" for an encoder of pictures", text),
                 .expected = "a model with a text half, as CLIP is"});
  }
  bool on_cpu() const override { return placement_.device.is_cpu(); }
  std::int64_t image_size() const override { return side_; }

 private:
  std::unique_ptr<ImageEncoder> model_;
  std::int64_t side_;
  Placement placement_;
  std::string where_;
};

class SidedEncoder final : public Encoder {
 public:
  SidedEncoder(std::unique_ptr<Encoder> encoder, std::int64_t side) : encoder_(std::move(encoder)), side_(side) {}

  Tensor image_features(const Tensor& pixel_values) const override { return encoder_->image_features(pixel_values); }
  Tensor image_features_each(const Tensor& pixel_values) const override {
    return encoder_->image_features_each(pixel_values);
  }
  Tensor text_features(const std::string& text) const override { return encoder_->text_features(text); }
  bool on_cpu() const override { return encoder_->on_cpu(); }
  std::int64_t image_size() const override { return side_; }

 private:
  std::unique_ptr<Encoder> encoder_;
  std::int64_t side_;
};

}  // namespace

std::unique_ptr<Encoder> with_side(std::unique_ptr<Encoder> encoder, std::int64_t side) {
  return std::make_unique<SidedEncoder>(std::move(encoder), side);
}

Tensor Encoder::image_features_each(const Tensor& pixel_values) const {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < pixel_values.size(0); ++i) rows.push_back(image_features(pixel_values.narrow(0, i, 1)));
  return at::cat(rows);
}

Tensor as_host_floats(const Tensor& features) { return features.to(at::kCPU, at::kFloat); }

fs::path tokenizer_folder(const EncoderFiles& files, const std::vector<std::string>& names) {
  if (!files.tokenizer.empty()) return files.tokenizer;
  const fs::path folder = fs::is_directory(files.folder) ? files.folder : files.folder.parent_path();
  const bool beside = std::ranges::any_of(names, [&](const auto& name) { return fs::exists(folder / name); });
  if (beside) return folder;
  if (fs::is_directory(folder / "tokenizer")) return folder / "tokenizer";
  throw Error({.where = folder.string(),
               .found = "no tokenizer",
               .expected = fmt::format("{} beside the weights", fmt::join(names, " or ")),
               .advice = "copy the tokenizer's files there, or name a folder that has them"});
}

std::unique_ptr<Encoder> open_encoder(const EncoderFiles& files, const Placement& placement) {
  auto source = read_encoder(files.folder, {.variant = files.variant, .allow_pickle = files.allow_pickle});
  const Json& config = source.config;
  Weights weights(std::move(source.weights), placement);
  const Json type = config.value("model_type", Json());
  if (type == "clip") return std::make_unique<ClipEncoder>(config, std::move(weights), files);
  if (type == "siglip") return std::make_unique<SiglipEncoder>(config, std::move(weights), files);
  const bool dinov2 = type.is_string() && type.get<std::string>().starts_with("dinov2");
  auto model = make_image_encoder(config, std::move(weights), files.positions);
  const auto side = dinov2 ? kDinov2Side : model->image_size();
  return std::make_unique<PictureEncoder>(std::move(model), side, placement, files.folder.string());
}

}  // namespace atelier::eval
