#include "experiments/pocket/world/texture.h"

#include <cmath>

namespace atelier::pocket {
namespace {

/// 1 in the middle half of each period, 0 elsewhere, with edges one pixel soft.
float wave(float u, float pixels) {
  const float place = u - static_cast<float>(floor_int(u));
  const float from_middle = place < 0.5f ? 0.5f - place : place - 0.5f;
  return clamp01(0.5f + (0.25f - from_middle) * pixels);
}

/// Distance to the nearest whole number.
float off_whole(float u) {
  const float off = u - static_cast<float>(floor_int(u + 0.5f));
  return off < 0.0f ? -off : off;
}

}  // namespace

TexturePaint::TexturePaint(const Instance& instance, float pixels)
    : texture_(instance.texture),
      cosine_(cos_turns(instance.slant)),
      sine_(sin_turns(instance.slant)),
      phase_(instance.phase),
      per_size_(1.0f / instance.period),
      pixels_(pixels * instance.period) {}

float TexturePaint::operator()(Point at) const {
  if (texture_ == Texture::plain) return 0.0f;
  const float u = (cosine_ * at.x + sine_ * at.y) * per_size_ + phase_;
  const float v = (cosine_ * at.y - sine_ * at.x) * per_size_;
  if (texture_ == Texture::striped) return stripes(u);
  return texture_ == Texture::dotted ? dots(u, v) : checks(u, v);
}

float TexturePaint::stripes(float u) const { return wave(u, pixels_); }

/// Rows of dots, each between those of the row above.
float TexturePaint::dots(float u, float v) const {
  constexpr float kRadius = 0.29f;
  constexpr float kRows = 1.7320508f;  // from a row to the next but one: neighbours are one period apart
  const auto square = [](float a, float b) { return a * a + b * b * (kRows * kRows); };
  const float row = v / kRows;
  const float nearest =
      std::min(square(off_whole(u), off_whole(row)), square(off_whole(u + 0.5f), off_whole(row + 0.5f)));
  return clamp01(0.5f + (kRadius - std::sqrt(nearest)) * pixels_);
}

float TexturePaint::checks(float u, float v) const {
  const float a = wave(u, pixels_);
  const float b = wave(v, pixels_);
  return a * b + (1.0f - a) * (1.0f - b);
}

}  // namespace atelier::pocket
