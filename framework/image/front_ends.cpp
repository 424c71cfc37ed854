#include "framework/image/front_ends.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/geometry.h"
#include "framework/image/normalise.h"

namespace atelier {
namespace {

using image_detail::Normalisation;
using image_detail::normalise;

constexpr std::array<std::pair<const char*, FrontEnd>, 15> kIds{{
    {"clip-openai", FrontEnd::clip_openai},
    {"clip-hf", FrontEnd::clip_hf},
    {"ti-tensor", FrontEnd::ti_tensor},
    {"dino-orig", FrontEnd::dino_orig},
    {"dinov2-hf", FrontEnd::dinov2_hf},
    {"dino-hf-stock", FrontEnd::dino_hf_stock},
    {"siglip", FrontEnd::siglip},
    {"inception-clean", FrontEnd::inception_clean},
    {"inception-textreg", FrontEnd::inception_textreg},
    {"lpips", FrontEnd::lpips},
    {"clip", FrontEnd::clip_hf},
    {"dino_original", FrontEnd::dino_orig},
    {"dinov2", FrontEnd::dinov2_hf},
    {"ti_code", FrontEnd::ti_tensor},
    {"ti_paper", FrontEnd::ti_tensor},
}};

/// A picture whose transparency is kept only for alpha=official.
struct Flat {
  Image image;
  std::optional<GreyImage> alpha;
};

int side_of(FrontEnd front_end, const FrontEndOptions& options) {
  if (options.image_size > 0) return options.image_size;
  if (front_end == FrontEnd::lpips) return 512;
  return front_end == FrontEnd::inception_clean || front_end == FrontEnd::inception_textreg ? 299 : 224;
}

/// transformers multiplies by 1/255 in double before it rounds to float.
float rescaled(std::uint8_t pixel) { return static_cast<float>(pixel * (1.0 / 255.0)); }

struct CropRecipe {
  int shorter;  ///< side the shorter edge is resized to
  CropRule rule;
};

Image shorter_then_crop(const Flat& flat, int side, const CropRecipe& recipe, int threads) {
  const Size size = shortest_edge(flat.image.size(), recipe.shorter);
  const Image resized = flat.alpha
                            ? resize_premultiplied(flat.image, *flat.alpha, size, ResizeMethod::pil_bicubic, threads)
                            : resize(flat.image, size, ResizeMethod::pil_bicubic, threads);
  return crop(resized, centre_box(resized.size(), {side, side}, recipe.rule));
}

PixelValues ti_picture(const Image& image, const FrontEndOptions& options) {
  const Image squashed = options.role == TiRole::generated
                             ? image
                             : resize(image, {options.size, options.size}, ResizeMethod::pil_bicubic, options.threads);
  FloatImage unit = make_raster<FloatImage>(squashed.size());
  std::transform(squashed.pixels.begin(), squashed.pixels.end(), unit.pixels.begin(),
                 [](std::uint8_t pixel) { return (static_cast<float>(pixel / 127.5 - 1.0) + 1.0f) / 2.0f; });
  return ti_tensor(unit, options);
}

PixelValues run(FrontEnd front_end, const Flat& flat, const FrontEndOptions& options) {
  const int side = side_of(front_end, options);
  const int threads = options.threads;
  const int eight_sevenths = (16 * side + 7) / 14;  // round(8 S / 7): 256 for 224
  const auto squash = [&](ResizeMethod method) { return resize(flat.image, {side, side}, method, threads); };
  const auto plain = [](std::uint8_t pixel) { return static_cast<float>(pixel); };
  switch (front_end) {
    case FrontEnd::clip_openai:
      return normalise(shorter_then_crop(flat, side, {side, CropRule::tv}, threads), image_detail::kClip,
                       image_detail::unit_value);
    case FrontEnd::clip_hf:
      return normalise(shorter_then_crop(flat, side, {side, CropRule::hf}, threads), image_detail::kClip, rescaled);
    case FrontEnd::ti_tensor:
      return ti_picture(flat.image, options);
    case FrontEnd::dino_orig:
      return normalise(shorter_then_crop(flat, side, {eight_sevenths, CropRule::tv}, threads), image_detail::kImageNet,
                       image_detail::unit_value);
    case FrontEnd::dinov2_hf:
      return normalise(shorter_then_crop(flat, side, {eight_sevenths, CropRule::hf}, threads), image_detail::kImageNet,
                       rescaled);
    case FrontEnd::dino_hf_stock:
      return normalise(squash(ResizeMethod::pil_bilinear), image_detail::kHalf, rescaled);
    case FrontEnd::siglip:
    case FrontEnd::lpips:  // [-1, 1] likewise
      return normalise(squash(ResizeMethod::pil_bicubic), image_detail::kHalf, rescaled);
    case FrontEnd::inception_clean:
      return normalise(resize(to_float(flat.image), {side, side}, ResizeMethod::pilf_bicubic, threads),
                       image_detail::kInception, [](float value) { return value; });
    case FrontEnd::inception_textreg:
      break;
  }
  return normalise(squash(ResizeMethod::pil_bilinear), image_detail::kInception, plain);
}

/// Colour keys (tRNS) are no alpha channel to Pillow, so the official transform never sees them.
Flat resolve_alpha(FrontEnd front_end, Decoded picture, const std::string& where, const AlphaRule& rule) {
  if (rule.kind != AlphaRule::Kind::official || front_end != FrontEnd::clip_openai) {
    return {flatten(std::move(picture), rule, where), std::nullopt};
  }
  const bool has_alpha = !picture.alpha.pixels.empty() && !picture.key_alpha;
  Flat flat{std::move(picture.image), std::nullopt};
  if (has_alpha) flat.alpha = std::move(picture.alpha);
  return flat;
}

void check_options(FrontEnd front_end, const FrontEndOptions& options) {
  if (front_end == FrontEnd::ti_tensor && options.resize != ResizeMethod::t_bicubic &&
      options.resize != ResizeMethod::t_bicubic_aa) {
    throw Error(
        {.where = "resize", .found = "a method that ti-tensor does not have", .expected = "t-bicubic or t-bicubic-aa"},
        ErrorKind::usage);
  }
  if (options.image_size < 0 || options.image_size > 16384) {
    throw Error({.where = "image_size", .found = std::to_string(options.image_size), .expected = "1 to 16384"},
                ErrorKind::usage);
  }
}

}  // namespace

std::vector<std::string> front_end_ids() {
  std::vector<std::string> ids;
  for (const auto& [id, front_end] : kIds) ids.emplace_back(id);
  return ids;
}

FrontEnd parse_front_end(std::string_view id, const std::string& where) {
  for (const auto& [known, front_end] : kIds) {
    if (id == known) return front_end;
  }
  const auto ids = front_end_ids();
  const std::string near = nearest(id, ids);
  throw Error({.where = where,
               .found = fmt::format("no front end \"{}\"", id),
               .expected = "one of " + join(ids),
               .advice = near.empty() ? "" : "did you mean " + near + "?"},
              ErrorKind::usage);
}

std::string front_end_id(FrontEnd front_end) {
  return std::find_if(kIds.begin(), kIds.end(), [&](const auto& item) { return item.second == front_end; })->first;
}

PixelValues preprocess(FrontEnd front_end, const std::filesystem::path& image, const FrontEndOptions& options,
                       const Mask* mask) {
  check_options(front_end, options);
  return preprocess(front_end, decode_file(image, options.exif), image.string(), options, mask);
}

PixelValues preprocess(FrontEnd front_end, Decoded picture, const std::string& where, const FrontEndOptions& options,
                       const Mask* mask) {
  check_options(front_end, options);
  Flat flat = resolve_alpha(front_end, std::move(picture), where, options.alpha);
  if (mask != nullptr) {
    apply_mask_(flat.image, *mask, options.threshold, options.fill, where);
    for (std::size_t i = 0; flat.alpha && i < mask->pixels.size(); ++i) {
      if (mask->pixels[i] < options.threshold) flat.alpha->pixels[i] = 255;  // the fill is seen
    }
  }
  return run(front_end, flat, options);
}

PixelValues ti_tensor(const FloatImage& unit, const FrontEndOptions& options) {
  check_options(FrontEnd::ti_tensor, options);
  const int side = side_of(FrontEnd::ti_tensor, options);
  const FloatImage resized = resize(unit, shortest_edge(unit.size(), side), options.resize, options.threads);
  const FloatImage cropped = crop(resized, centre_box(resized.size(), {side, side}, CropRule::tv));
  return normalise(cropped, image_detail::kClip, [](float value) { return value; });
}

void apply_mask_(Image& image, const Mask& mask, int threshold, Colour fill, const std::string& where) {
  if (mask.size() != image.size()) {
    throw Error({.where = where,
                 .found = fmt::format("a mask of {}x{} pixels", mask.width, mask.height),
                 .expected = fmt::format("{}x{}, as the upright picture", image.width, image.height),
                 .advice = "make the mask at the picture's own size"});
  }
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    if (mask.pixels[i] >= threshold) continue;
    image.pixels[3 * i] = fill.red;
    image.pixels[3 * i + 1] = fill.green;
    image.pixels[3 * i + 2] = fill.blue;
  }
}

double foreground_share(const Mask& mask, int threshold) {
  const auto count =
      std::count_if(mask.pixels.begin(), mask.pixels.end(), [&](int value) { return value >= threshold; });
  return mask.pixels.empty() ? 0.0 : static_cast<double>(count) / static_cast<double>(mask.pixels.size());
}

}  // namespace atelier
