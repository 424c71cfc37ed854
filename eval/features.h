#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/encoder.h"
#include "eval/protocol.h"
#include "framework/image/image.h"

namespace atelier::eval {

/// An encoded file in memory.
struct NamedBytes {
  std::string name;                  ///< for errors
  std::span<const std::byte> bytes;  ///< borrowed
};

/// A picture to score: an encoded file (PNG, JPEG, WebP) or, for ti-tensor alone, what a decoder returned.
struct Picture {
  std::string name;                        ///< for errors
  std::span<const std::byte> bytes;        ///< borrowed
  std::optional<FloatImage> floats;        ///< (decoder output + 1) / 2, clamped to 0..1; instead of bytes
  std::optional<NamedBytes> mask = {};     ///< grey, of the upright picture's size
  std::optional<NamedBytes> removed = {};  ///< the picture without its background, instead of a mask
};

/// What of a picture the encoder sees: all of it, or its foreground (under a mask, or the picture without background).
enum class View { full, foreground };

enum class PictureStatus { ok, decode_error, no_foreground };

/// Vectors of pictures under one encoder.
struct PictureFeatures {
  Tensor raw;                         ///< [n, F] float32 as the encoder gave them; zero rows where a picture is not ok
  Tensor unit;                        ///< [n, F] float64 of length 1, zero rows likewise; of a distance undefined
  std::vector<PictureStatus> status;  ///< of each picture

  [[nodiscard]] bool ok(std::size_t k) const { return status[k] == PictureStatus::ok; }
};

/// Every encoder call has exactly protocol.batch rows (the last one is filled up) and picture k the same row in it
/// whatever else is there; on a CPU each picture is a call of its own. So a picture's vector does not depend on what is
/// scored beside it, on a CPU not even on its place. Throws Error for a picture that can be decoded but not scored
/// (transparency under alpha=refuse, floats for another front end than ti-tensor) and, for the foreground, without a
/// mask of its size.
[[nodiscard]] PictureFeatures picture_features(const Encoder& encoder, const EncoderUse& use, const Protocol& protocol,
                                               std::span<const Picture> pictures, TiRole role, View view = View::full);

/// Share of the mask's pixels that are foreground, 0..1; nullopt without a mask. Throws Error for a damaged mask.
[[nodiscard]] std::optional<double> foreground_of(const Picture& picture, const FrontEndOptions& options);

/// Of two dense float64 vectors [F], summed in order: LibTorch's depends on where in memory a row begins, and a score
/// would then depend on its place.
[[nodiscard]] double dot_product(const Tensor& a, const Tensor& b);

/// rows [..., F] -> float64 of length 1; a zero row stays zero.
[[nodiscard]] Tensor unit_rows(const Tensor& rows);

/// Side of the first picture that can be decoded (its shorter edge), in pixels; nullopt when there is none.
[[nodiscard]] std::optional<int> side_of_first(std::span<const Picture> pictures, ExifRule exif);

}  // namespace atelier::eval
