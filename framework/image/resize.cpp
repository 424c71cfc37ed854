#include "framework/image/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/decoders.h"
#include "framework/image/resample.h"

namespace atelier {
namespace {

constexpr std::array<std::pair<const char*, ResizeMethod>, 8> kMethods{{
    {"pil-bicubic", ResizeMethod::pil_bicubic},
    {"pil-bilinear", ResizeMethod::pil_bilinear},
    {"pil-lanczos", ResizeMethod::pil_lanczos},
    {"pil-box", ResizeMethod::pil_box},
    {"pil-nearest", ResizeMethod::pil_nearest},
    {"pilf-bicubic", ResizeMethod::pilf_bicubic},
    {"t-bicubic", ResizeMethod::t_bicubic},
    {"t-bicubic-aa", ResizeMethod::t_bicubic_aa},
}};

std::string name_of(ResizeMethod method) {
  const auto found = std::find_if(kMethods.begin(), kMethods.end(), [&](auto& item) { return item.second == method; });
  return found->first;
}

void check(Size from, Size to, ResizeMethod method, bool eight_bit) {
  if (is_eight_bit(method) != eight_bit) {
    throw Error({.where = "resize",
                 .found = name_of(method) + (eight_bit ? " on 8-bit pixels" : " on float pixels"),
                 .expected = eight_bit ? "one of the pil-* methods" : "pilf-bicubic, t-bicubic or t-bicubic-aa"},
                ErrorKind::usage);
  }
  const std::string where = fmt::format("resize of {}x{} to {}x{}", from.width, from.height, to.width, to.height);
  const auto side = [](int length) { return static_cast<std::uint64_t>(std::max(length, 0)); };
  image_detail::check_dimensions(side(from.width), side(from.height), where);
  image_detail::check_dimensions(side(to.width), side(to.height), where);
  image_detail::check_dimensions(side(to.width), side(from.height), where);  // between the passes
}

using Rgba = Raster<std::uint8_t, 4>;

Rgba premultiply(const Image& image, const GreyImage& alpha) {
  Rgba out = make_raster<Rgba>(image.size());
  for (std::size_t i = 0; i < alpha.pixels.size(); ++i) {
    const int a = alpha.pixels[i];
    for (std::size_t c = 0; c < 3; ++c) {
      out.pixels[4 * i + c] = static_cast<std::uint8_t>((image.pixels[3 * i + c] * a + 127) / 255);
    }
    out.pixels[4 * i + 3] = alpha.pixels[i];
  }
  return out;
}

Image unpremultiply(const Rgba& in) {
  Image out = make_raster<Image>(in.size());
  for (std::size_t i = 0; i * 3 < out.pixels.size(); ++i) {
    const int a = in.pixels[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int value = in.pixels[4 * i + c];
      out.pixels[3 * i + c] = static_cast<std::uint8_t>(a == 0 ? value : std::min(255, 255 * value / a));
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> resize_method_names() {
  std::vector<std::string> names;
  for (const auto& [name, method] : kMethods) names.emplace_back(name);
  return names;
}

ResizeMethod parse_resize_method(std::string_view name, const std::string& where) {
  for (const auto& [known, method] : kMethods) {
    if (name == known) return method;
  }
  const auto names = resize_method_names();
  const std::string near = nearest(name, names);
  throw Error({.where = where,
               .found = std::string(name),
               .expected = "one of " + join(names),
               .advice = near.empty() ? "" : "did you mean " + near + "?"},
              ErrorKind::usage);
}

bool is_eight_bit(ResizeMethod method) { return method <= ResizeMethod::pil_lanczos; }

Image resize(const Image& image, Size size, ResizeMethod method, int threads) {
  check(image.size(), size, method, true);
  return image_detail::resize_eight_bit(image, size, method, threads);
}

GreyImage resize(const GreyImage& image, Size size, ResizeMethod method, int threads) {
  check(image.size(), size, method, true);
  return image_detail::resize_eight_bit(image, size, method, threads);
}

FloatImage resize(const FloatImage& image, Size size, ResizeMethod method, int threads) {
  check(image.size(), size, method, false);
  switch (method) {
    case ResizeMethod::pilf_bicubic:
      return image_detail::resize_pilf_bicubic(image, size, threads);
    case ResizeMethod::t_bicubic:
      return image_detail::resize_t_bicubic(image, size, threads);
    default:
      return image_detail::resize_t_bicubic_aa(image, size, threads);
  }
}

Image resize_premultiplied(const Image& image, const GreyImage& alpha, Size size, ResizeMethod method, int threads) {
  check(image.size(), size, method, true);
  if (alpha.size() != image.size()) {
    throw Error({.where = "resize",
                 .found = fmt::format("alpha of {}x{}", alpha.width, alpha.height),
                 .expected = fmt::format("{}x{} as the image", image.width, image.height)});
  }
  if (size == image.size()) return image;
  return unpremultiply(image_detail::resize_eight_bit(premultiply(image, alpha), size, method, threads));
}

FloatImage to_float(const Image& image) {
  return {image.width, image.height, {image.pixels.begin(), image.pixels.end()}};
}

}  // namespace atelier
