#include "experiments/pocket/world/raster.h"

#include <algorithm>

#include "experiments/pocket/world/arithmetic.h"

namespace atelier::pocket {
namespace {

constexpr auto kWidth = static_cast<float>(kSide);

int clamp_pixel(int value) { return std::clamp(value, 0, kSide); }

}  // namespace

void Rasteriser::prepare(const Path& path) {
  Box box;
  box.include(path);
  const auto bound = [](float value) { return std::clamp(value, -4.0f, kWidth + 4.0f); };
  coverage_.left = clamp_pixel(floor_int(bound(box.low.x)));
  coverage_.top = clamp_pixel(floor_int(bound(box.low.y)));
  coverage_.right = clamp_pixel(ceil_int(bound(box.high.x)));
  coverage_.bottom = clamp_pixel(ceil_int(bound(box.high.y)));
}

/// Adds the part of one edge that lies in row y: x goes from `from` to `to`, and `area` is the height it covers, with
/// the sign of its direction. Everything right of the edge gains `area`.
void Rasteriser::add_row(int y, float from, float to, float area) {
  float* row = sums_.data() + y * kStride;
  const float low = std::clamp(std::min(from, to), 0.0f, kWidth);
  const float high = std::clamp(std::max(from, to), 0.0f, kWidth);
  const int first = floor_int(low);
  const int end = std::max(ceil_int(high), first + 1);
  if (end == first + 1) {
    const float inside = 0.5f * (low + high) - static_cast<float>(first);  // mean distance from the pixel's left side
    row[first] += area * (1.0f - inside);
    row[first + 1] += area * inside;
    return;
  }
  const float slope = area / (high - low);
  float covered = 0.0f;   // of `area`, by the edge so far
  float previous = 0.0f;  // what the pixel before gained
  for (int x = first; x < end; ++x) {
    const float begin = std::max(low, static_cast<float>(x));
    const float stop = std::min(high, static_cast<float>(x + 1));
    const float height = slope * (stop - begin);
    const float inside = 0.5f * (begin + stop) - static_cast<float>(x);
    const float value = covered + height * (1.0f - inside);  // of pixel x
    row[x] += value - previous;
    previous = value;
    covered += height;
  }
  row[end] += area - previous;
}

void Rasteriser::add_edge(Point a, Point b) {
  if (a.y == b.y) return;
  const float direction = a.y < b.y ? -1.0f : 1.0f;  // clockwise shapes count positive
  if (a.y > b.y) std::swap(a, b);
  const float top = std::max(a.y, 0.0f);
  const float bottom = std::min(b.y, kWidth);
  if (top >= bottom) return;
  const float slope = (b.x - a.x) / (b.y - a.y);
  float x = a.x + (top - a.y) * slope;
  float y = top;
  for (int row = floor_int(top); row < kSide && y < bottom; ++row) {
    const float next_y = std::min(static_cast<float>(row + 1), bottom);
    const float next_x = a.x + (next_y - a.y) * slope;
    add_row(row, x, next_x, (next_y - y) * direction);
    x = next_x;
    y = next_y;
  }
}

const Coverage& Rasteriser::cover(const Path& path) {
  prepare(path);
  for (int y = coverage_.top; y < coverage_.bottom; ++y)
    std::fill_n(sums_.data() + y * kStride + coverage_.left, kStride - coverage_.left, 0.0f);
  const auto points = path.points();
  for (const Path::Contour& contour : path.contours()) {
    for (std::size_t i = contour.begin; i < contour.end; ++i)
      add_edge(points[i], points[i + 1 == contour.end ? contour.begin : i + 1]);
  }
  constexpr int kMargin = Coverage::kMargin;
  const int width = coverage_.right - coverage_.left;
  for (int y = coverage_.top - kMargin; y < coverage_.bottom + kMargin; ++y) {
    float* values = coverage_.row(y) + coverage_.left;
    const bool inside = y >= coverage_.top && y < coverage_.bottom;
    std::fill_n(values - kMargin, inside ? kMargin : width + 2 * kMargin, 0.0f);
    if (!inside) continue;
    const float* sums = sums_.data() + y * kStride + coverage_.left;
    float sum = 0.0f;
    for (int x = 0; x < width; ++x) {
      sum += sums[x];
      values[x] = std::min(sum < 0.0f ? -sum : sum, 1.0f);
    }
    std::fill_n(values + width, kMargin, 0.0f);
  }
  return coverage_;
}

void grow(const Coverage& from, float pixels, Coverage& into) {
  into.left = std::max(from.left - 1, 0);
  into.top = std::max(from.top - 1, 0);
  into.right = std::min(from.right + 1, kSide);
  into.bottom = std::min(from.bottom + 1, kSide);
  const float corner = pixels * 0.6f;
  for (int y = into.top; y < into.bottom; ++y) {
    const float* above = from.row(y - 1);
    const float* here = from.row(y);
    const float* below = from.row(y + 1);
    float* out = into.row(y);
    for (int x = into.left; x < into.right; ++x) {
      const float side = std::max(std::max(here[x - 1], here[x + 1]), std::max(above[x], below[x]));
      const float diagonal = std::max(std::max(above[x - 1], above[x + 1]), std::max(below[x - 1], below[x + 1]));
      out[x] = std::max(here[x], std::max(side * pixels, diagonal * corner));
    }
  }
}

}  // namespace atelier::pocket
