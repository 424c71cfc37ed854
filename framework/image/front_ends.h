#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "framework/image/decode.h"
#include "framework/image/resize.h"

namespace atelier {

/// The image front ends of the evaluation protocols (evaluation.md 0.4): what an encoder's authors do between a file
/// and the encoder.
enum class FrontEnd {
  clip_openai,
  clip_hf,
  ti_tensor,
  dino_orig,
  dinov2_hf,
  dino_hf_stock,
  siglip,
  inception_clean,
  inception_textreg,
  lpips
};

/// "clip-openai" and so on, and the names of recipes: clip = clip-hf, dino_original = dino-orig, dinov2 = dinov2-hf,
/// ti_code = ti_paper = ti-tensor. Throws a usage Error naming `where` and the nearest id.
[[nodiscard]] FrontEnd parse_front_end(std::string_view id, const std::string& where);
[[nodiscard]] std::string front_end_id(FrontEnd front_end);
[[nodiscard]] std::vector<std::string> front_end_ids();

/// What ti-tensor takes a picture for: references are squashed to size x size, generated pictures are taken as they
/// are.
enum class TiRole { reference, generated };

struct FrontEndOptions {
  ExifRule exif = ExifRule::apply;
  AlphaRule alpha = {};
  Colour fill = {};                               ///< replaces the background of a mask
  int threshold = 128;                            ///< foreground is mask >= threshold
  int size = 256;                                 ///< ti-tensor only: side that references are squashed to
  ResizeMethod resize = ResizeMethod::t_bicubic;  ///< ti-tensor only: t_bicubic or t_bicubic_aa
  TiRole role = TiRole::reference;                ///< ti-tensor only
  int image_size = 0;                             ///< S, the encoder's side; 0: 224, inception 299, lpips 512
  int threads = 1;
};

/// An encoder's input.
struct PixelValues {
  std::vector<float> values;          ///< [1, 3, S, S]
  std::array<std::int64_t, 4> shape;  ///< {1, 3, S, S}
};

/// Decodes, resolves alpha, applies the mask at native resolution, then does what the front end does. A mask must have
/// the size of the upright picture. Throws Error for files, masks and sizes; a usage Error for alpha=official elsewhere
/// than in clip-openai.
[[nodiscard]] PixelValues preprocess(FrontEnd front_end, const std::filesystem::path& image,
                                     const FrontEndOptions& options, const Mask* mask = nullptr);
/// The same for a picture in memory; `where` names it in errors.
[[nodiscard]] PixelValues preprocess(FrontEnd front_end, Decoded picture, const std::string& where,
                                     const FrontEndOptions& options, const Mask* mask = nullptr);
/// The rest of ti-tensor for a sampler's own floats: `unit` holds (decoder output + 1) / 2, so 0..1.
[[nodiscard]] PixelValues ti_tensor(const FloatImage& unit, const FrontEndOptions& options);

/// Pixels under the threshold become `fill`. Throws Error when the sizes differ.
void apply_mask_(Image& image, const Mask& mask, int threshold, Colour fill, const std::string& where);
/// Share of pixels that reach the threshold, 0..1.
[[nodiscard]] double foreground_share(const Mask& mask, int threshold);

}  // namespace atelier
