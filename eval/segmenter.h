#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "eval/encoder.h"
#include "framework/image/image.h"
#include "framework/image/resize.h"
#include "framework/models/clipseg.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::eval {

/// What a segmenter's preprocessor_config.json says of the pictures that it wants.
struct SegmenterFrontEnd {
  int side = 0;  ///< pixels: pictures are squashed to side x side, so that every part of them is seen
  ResizeMethod resize = ResizeMethod::pil_bilinear;
  std::array<float, 3> mean{}, deviation{};

  /// Throws Error naming the key, for one that is missing or of another kind.
  [[nodiscard]] static SegmenterFrontEnd from_json(const Json& json, const std::string& where);
  /// [1, 3, side, side] float32. A crop that the file asks for is left out: a mask is of the whole picture.
  [[nodiscard]] Tensor operator()(const Image& picture) const;
};

/// CLIPSeg (Lüddecke & Ecker 2022, arXiv:2112.10003) as a maker of masks, from a folder as transformers writes it:
/// config.json, weights, preprocessor_config.json, tokenizer.
class Segmenter {
 public:
  /// Throws Error for files that are missing or wrong.
  Segmenter(const EncoderFiles& files, const Placement& placement);

  /// How likely each pixel belongs to what `text` names, 0 to 255: the logits, resized to the picture (bilinear, no
  /// antialias, as transformers' example does), then the sigmoid. So 128 is the usual threshold. A picture is a call of
  /// its own: its mask does not depend on what else is masked. Throws Error for a text that is too long.
  [[nodiscard]] Mask find(const Image& picture, const std::string& text);

 private:
  [[nodiscard]] const Tensor& prompt(const std::string& text);

  std::filesystem::path folder_;
  ClipSeg network_;
  ClipTokenizer tokenizer_;
  SegmenterFrontEnd front_end_;
  std::map<std::string, Tensor> prompts_;  // [1, P], by text
};

}  // namespace atelier::eval
