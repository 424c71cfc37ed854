#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "framework/image/image.h"

namespace atelier {

/// More pixels than this are refused before anything is allocated (the limit at which Pillow speaks of a bomb).
inline constexpr std::uint64_t kMaxPixels = 178'956'970;

enum class ExifRule { apply, ignore };

/// What becomes of transparency. `refuse`: an error if any pixel is not opaque. `drop`: the stored colours, as the
/// training scripts take them. `colour`: composited over `colour`. `official`: the OpenAI CLIP transform (resized with
/// premultiplied alpha, then dropped); only the front end clip-openai has it.
struct AlphaRule {
  enum class Kind { refuse, drop, official, colour };
  Kind kind = Kind::refuse;
  Colour colour = {};
  bool operator==(const AlphaRule&) const = default;
};

struct DecodeOptions {
  ExifRule exif = ExifRule::apply;
  AlphaRule alpha = {};
};

/// A file's picture, upright, with its transparency still beside it.
struct Decoded {
  Image image;
  GreyImage alpha;         ///< size of the image, or empty when the file has no transparency
  bool key_alpha = false;  ///< alpha stems from a PNG tRNS chunk: a colour key or a transparent palette
  int orientation = 1;     ///< the EXIF value in the file, also when it was ignored

  [[nodiscard]] bool opaque() const;
};

/// Decodes JPEG, PNG or WebP, told apart by content. 8-bit RGB out: grey and palette expanded, 16 bit keeps the high
/// byte, CMYK and YCCK converted as Pillow does (always stored inverted). ICC profiles and gamma are ignored. `where`
/// names the bytes in errors. Throws Error for another format, a damaged or cut file (also where libjpeg would only
/// warn that data ended early), an animated WebP, and more than kMaxPixels. An animated PNG gives its default image.
[[nodiscard]] Decoded decode(std::span<const std::byte> bytes, const std::string& where,
                             ExifRule exif = ExifRule::apply);
[[nodiscard]] Decoded decode_file(const std::filesystem::path& path, ExifRule exif = ExifRule::apply);

/// Resolves transparency by refuse, drop or colour; `official` is a usage error here.
[[nodiscard]] Image flatten(Decoded decoded, const AlphaRule& rule, const std::string& where);

/// decode_file, then flatten.
[[nodiscard]] Image load_image(const std::filesystem::path& path, const DecodeOptions& options);

/// A mask file: grey of any depth, or colour whose three channels are equal. Throws Error for other colours and for
/// transparency.
[[nodiscard]] Mask to_mask(Decoded decoded, const std::string& where);
[[nodiscard]] Mask load_mask(const std::filesystem::path& path, ExifRule exif = ExifRule::apply);

}  // namespace atelier
