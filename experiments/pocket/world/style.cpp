#include "experiments/pocket/world/style.h"

#include "experiments/pocket/world/random.h"

namespace atelier::pocket {
namespace {

constexpr auto kSize = static_cast<std::size_t>(kSide);

std::size_t index(int x, int y) {
  return static_cast<std::size_t>(std::clamp(y, 0, kSide - 1)) * kSize +
         static_cast<std::size_t>(std::clamp(x, 0, kSide - 1));
}

float absolute(float x) { return x < 0.0f ? -x : x; }

/// Largest difference of a channel between the pixels right and left, below and above.
float edge(const Canvas::Pixels& pixels, int x, int y) {
  const auto difference = [](Rgb a, Rgb b) {
    return std::max(absolute(a.red - b.red), std::max(absolute(a.green - b.green), absolute(a.blue - b.blue)));
  };
  return std::max(difference(pixels[index(x + 1, y)], pixels[index(x - 1, y)]),
                  difference(pixels[index(x, y + 1)], pixels[index(x, y - 1)]));
}

template <typename Change>
void each_pixel(Canvas::Pixels& pixels, const Change& change) {
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      Rgb& pixel = pixels[static_cast<std::size_t>(y * kSide + x)];
      pixel = change(x, y, pixel);
    }
}

/// The same for the matte: the subject's silhouette.
float edge(const Canvas::Matte& matte, int x, int y) {
  return std::max(absolute(matte[index(x + 1, y)] - matte[index(x - 1, y)]),
                  absolute(matte[index(x, y + 1)] - matte[index(x, y - 1)]));
}

/// Coloured pencil: pale tones on paper, grey lines where colours meet and around the subject.
void pencil(Canvas::Pixels& pixels, const Canvas::Matte& matte) {
  const Canvas::Pixels before = pixels;
  each_pixel(pixels, [&before, &matte](int x, int y, Rgb pixel) {
    const float line =
        std::max(smooth_step(0.3f, 0.8f, edge(before, x, y)), 0.8f * smooth_step(0.4f, 1.0f, edge(matte, x, y)));
    return mix(mix(rgb(252, 250, 244), pixel, 0.56f), rgb(56, 56, 62), 0.8f * line);
  });
}

/// Flat colours in a few steps, all strong.
void poster(Canvas::Pixels& pixels) {
  const auto step = [](float value) { return static_cast<float>(floor_int(clamp01(value) * 6.0f + 0.5f)) / 6.0f; };
  each_pixel(pixels, [step](int, int, Rgb pixel) {
    const float grey = luma(pixel);
    const auto strong = [grey](float value) { return clamp01(grey + 1.4f * (value - grey)); };
    return Rgb{step(strong(pixel.red)), step(strong(pixel.green)), step(strong(pixel.blue))};
  });
}

/// Little, bluish light that falls off towards the borders.
void night(Canvas::Pixels& pixels) {
  each_pixel(pixels, [](int x, int y, Rgb pixel) {
    const float dx = (static_cast<float>(x) - 31.5f) / 32.0f;
    const float dy = (static_cast<float>(y) - 36.0f) / 32.0f;
    const float light = 0.82f - 0.3f * std::min(dx * dx + dy * dy, 1.4f);
    return Rgb{pixel.red * light * 0.8f, pixel.green * light * 0.78f + 0.01f, pixel.blue * light * 0.86f + 0.07f};
  });
}

void blur(Canvas::Pixels& pixels) {
  const Canvas::Pixels before = pixels;
  each_pixel(pixels, [&before](int x, int y, Rgb) {
    const auto at = [&](int dx, int dy) { return before[index(x + dx, y + dy)]; };
    const Rgb sides = mix(mix(at(-1, 0), at(1, 0), 0.5f), mix(at(0, -1), at(0, 1), 0.5f), 0.5f);
    const Rgb corners = mix(mix(at(-1, -1), at(1, 1), 0.5f), mix(at(1, -1), at(-1, 1), 0.5f), 0.5f);
    return mix(mix(at(0, 0), sides, 0.667f), corners, 0.25f);
  });
}

/// Soft, light washes that end before the paper does.
void watercolour(Canvas::Pixels& pixels, std::uint64_t seed) {
  blur(pixels);
  Random random{seed, 0x3A7E2u};
  std::array<float, 6> phases{};
  for (float& phase : phases) phase = random.unit();
  each_pixel(pixels, [&phases](int x, int y, Rgb pixel) {
    const float u = static_cast<float>(x) / 64.0f;
    const float v = static_cast<float>(y) / 64.0f;
    const float to_side = static_cast<float>(std::min(std::min(x, kSide - 1 - x), std::min(y, kSide - 1 - y)));
    const float ragged = 1.6f * sin_turns(2.2f * u + phases[0]) + 1.6f * sin_turns(2.6f * v + phases[1]) +
                         0.9f * sin_turns(3.7f * (u + v) + phases[2]);
    const float paint = smooth_step(2.6f, 5.6f, to_side + ragged);
    const float wash =
        0.76f + 0.09f * sin_turns(1.7f * u + 1.1f * v + phases[3]) + 0.07f * sin_turns(2.3f * v - 1.4f * u + phases[4]);
    return mix(rgb(253, 251, 246), pixel, paint * wash);
  });
}

}  // namespace

StyleTraits traits_of(Style style) {
  switch (style) {
    case Style::poster:
      return {.outline = 0.85f, .black_line = true, .shading = 0.0f};
    case Style::pencil:
      return {.outline = 0.7f, .black_line = false, .shading = 0.2f};
    case Style::watercolour:
      return {.outline = 0.45f, .black_line = false, .shading = 0.45f};
    case Style::photo:
    case Style::night:
      break;
  }
  return {};
}

void apply_style(Canvas& canvas, Style style, std::uint64_t seed) {
  switch (style) {
    case Style::photo:
      break;
    case Style::pencil:
      pencil(canvas.pixels(), canvas.matte());
      break;
    case Style::poster:
      poster(canvas.pixels());
      break;
    case Style::night:
      night(canvas.pixels());
      break;
    case Style::watercolour:
      watercolour(canvas.pixels(), seed);
      break;
  }
}

}  // namespace atelier::pocket
