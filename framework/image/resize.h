#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/image/image.h"

namespace atelier {

/// pil_*: Pillow's resampler on 8-bit channels. Antialiased, horizontal pass then vertical pass, rounded and clamped to
/// 0..255 after each; a pass that keeps its size is skipped. Integer arithmetic, equal to Pillow bit for bit (Pillow 13
/// may start with the vertical pass; compare with two one-axis calls). pil_nearest picks pixels.
/// pilf_bicubic: the same filter (a = -0.5) on float channels, no rounding, clipped to 0..255 at the end (clean-fid).
/// t_bicubic: four taps, a = -0.75, no antialias, no clamp (at::upsample_bicubic2d).
/// t_bicubic_aa: antialiased, a = -0.5, float, no clamp (at::_upsample_bicubic2d_aa).
enum class ResizeMethod {
  pil_nearest,
  pil_box,
  pil_bilinear,
  pil_bicubic,
  pil_lanczos,
  pilf_bicubic,
  t_bicubic,
  t_bicubic_aa
};

/// "pil-bicubic" and so on. Throws a usage Error naming `where` and the nearest name.
[[nodiscard]] ResizeMethod parse_resize_method(std::string_view name, const std::string& where);
[[nodiscard]] std::vector<std::string> resize_method_names();
/// True for pil_*, which take and give 8 bit; the others take and give float.
[[nodiscard]] bool is_eight_bit(ResizeMethod method);

/// The result does not depend on `threads`. Throws Error for a size below 1x1 or above kMaxPixels, and a usage Error
/// when the method belongs to the other kind of picture.
[[nodiscard]] Image resize(const Image& image, Size size, ResizeMethod method, int threads = 1);
[[nodiscard]] GreyImage resize(const GreyImage& image, Size size, ResizeMethod method, int threads = 1);
[[nodiscard]] FloatImage resize(const FloatImage& image, Size size, ResizeMethod method, int threads = 1);

/// How Pillow resizes RGBA: colours times alpha (8 bit), resized as four channels, divided by alpha again. The alpha is
/// then dropped. A size that does not change returns the colours as stored, hidden ones included.
[[nodiscard]] Image resize_premultiplied(const Image& image, const GreyImage& alpha, Size size, ResizeMethod method,
                                         int threads = 1);

/// Same values, 0..255.
[[nodiscard]] FloatImage to_float(const Image& image);

}  // namespace atelier
