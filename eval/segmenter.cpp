#include "eval/segmenter.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/text_check.h"
#include "framework/core/error.h"
#include "framework/formats/component_folder.h"

namespace atelier::eval {
namespace {

[[noreturn]] void refuse(const std::string& where, const char* key, const Json& found, const std::string& expected) {
  throw Error({.where = fmt::format("{}: {}", where, key), .found = found.dump(), .expected = expected});
}

/// 352, {"height": 352, "width": 352} or {"shortest_edge": 352}: versions of transformers write it differently.
int side_of(const Json& size, const std::string& where) {
  Json side = size;
  if (size.is_object()) {
    for (const char* key : {"height", "shortest_edge"}) side = size.contains(key) ? size.at(key) : side;
    if (size.value("width", side) != side) side = size;
  }
  if (!side.is_number_integer() || side.get<int>() < 1) refuse(where, "size", size, "a side in pixels");
  return side.get<int>();
}

/// Pillow's numbers, as transformers writes them.
ResizeMethod method_of(const Json& resample, const std::string& where) {
  if (resample == 2) return ResizeMethod::pil_bilinear;
  if (resample == 3) return ResizeMethod::pil_bicubic;
  refuse(where, "resample", resample, "2 (bilinear) or 3 (bicubic)");
}

std::array<float, 3> channels_of(const Json& json, const char* key, const std::string& where) {
  const Json list = json.value(key, Json());
  std::array<float, 3> values{};
  if (!list.is_array() || list.size() != values.size()) refuse(where, key, list, "three numbers");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!list[i].is_number()) refuse(where, key, list, "three numbers");
    values[i] = list[i].get<float>();
  }
  return values;
}

ComponentFolder segmenter_folder(const EncoderFiles& files) {
  auto folder = ComponentFolder::open(files.folder);
  const Json type = folder.config().value("model_type", Json());
  if (type == "clipseg") return folder;
  throw Error({.where = (files.folder / "config.json").string(),
               .found = fmt::format("the model type {}", type.dump()),
               .expected = "clipseg",
               .advice = "a segmenter is a folder with CLIPSegForImageSegmentation"});
}

SegmenterFrontEnd front_end_of(const std::filesystem::path& folder) {
  const auto path = folder / "preprocessor_config.json";
  return SegmenterFrontEnd::from_json(read_json_file(path), path.string());
}

}  // namespace

SegmenterFrontEnd SegmenterFrontEnd::from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) throw Error({.where = where, .found = json.type_name(), .expected = "an object"});
  return {.side = side_of(json.value("size", Json()), where),
          .resize = method_of(json.value("resample", Json()), where),
          .mean = channels_of(json, "image_mean", where),
          .deviation = channels_of(json, "image_std", where)};
}

Tensor SegmenterFrontEnd::operator()(const Image& picture) const {
  const Image squashed = atelier::resize(picture, {side, side}, resize);
  Tensor values = at::empty({1, 3, side, side}, at::TensorOptions().dtype(at::kFloat));
  float* out = values.mutable_data_ptr<float>();
  const auto area = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < area; ++i) {
      out[c * area + i] = (static_cast<float>(squashed.pixels[3 * i + c]) / 255.0f - mean[c]) / deviation[c];
    }
  }
  return values;
}

Segmenter::Segmenter(const EncoderFiles& files, const Placement& placement)
    : folder_(files.folder),
      network_(segmenter_folder(files).config(),
               Weights(ComponentFolder::open(files.folder)
                           .weights({.variant = files.variant, .allow_pickle = files.allow_pickle}),
                       placement)),
      tokenizer_(ClipTokenizer::load(tokenizer_folder(files, {"vocab.json", "tokenizer.json"}))),
      front_end_(front_end_of(files.folder)) {}

const Tensor& Segmenter::prompt(const std::string& text) {
  if (const auto found = prompts_.find(text); found != prompts_.end()) return found->second;
  require_text_fits(text, tokenizer_.tokens(text).size(), 2, tokenizer_.length());
  const auto ids = tokenizer_.encode(text);
  const Tensor row = at::tensor(ids, at::TensorOptions().dtype(at::kLong)).unsqueeze(0);  // [1, L]
  return prompts_.emplace(text, network_.prompt(row.to(network_.placement().device))).first->second;
}

Mask Segmenter::find(const Image& picture, const std::string& text) {
  const at::NoGradGuard no_grad;
  const Placement& placement = network_.placement();
  const Tensor pixels = front_end_(picture).to(placement.device, placement.dtype);
  Tensor logits = network_.forward(pixels, prompt(text)).to(at::kCPU, at::kFloat).unsqueeze(1);  // [1, 1, H, H]
  if (logits.size(2) != picture.height || logits.size(3) != picture.width) {
    logits = at::upsample_bilinear2d(logits, {picture.height, picture.width}, false, std::nullopt, std::nullopt);
  }
  const Tensor likely = at::sigmoid(logits).contiguous();
  Mask mask = make_raster<Mask>(picture.size());
  const auto* values = likely.const_data_ptr<float>();
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    mask.pixels[i] = static_cast<std::uint8_t>(std::lround(values[i] * 255.0f));
  }
  return mask;
}

}  // namespace atelier::eval
