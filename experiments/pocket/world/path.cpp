#include "experiments/pocket/world/path.h"

#include <algorithm>
#include <cmath>

#include "experiments/pocket/world/arithmetic.h"

namespace atelier::pocket {
namespace {

constexpr int kCircleSteps = 28;
constexpr int kCurveSteps = 5;

float length(Point p) { return std::sqrt(p.x * p.x + p.y * p.y); }

Point unit_normal(Point direction) {
  const float size = length(direction);
  if (size <= 0.0f) return {0.0f, 0.0f};
  return {direction.y / size, -direction.x / size};
}

/// Catmull-Rom between b and c (Catmull & Rom 1974, tension 1/2).
Point between(Point a, Point b, Point c, Point d, float t) {
  const float t2 = t * t;
  const float t3 = t2 * t;
  return (b * 2.0f + (c - a) * t + (a * 2.0f - b * 5.0f + c * 4.0f - d) * t2 + (b * 3.0f - a - c * 3.0f + d) * t3) *
         0.5f;
}

std::vector<Point> open_curve(const std::vector<Point>& points) {
  std::vector<Point> curve;
  curve.reserve(points.size() * kCurveSteps);
  const std::size_t last = points.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    const Point a = points[i == 0 ? 0 : i - 1];
    const Point d = points[std::min(i + 2, last)];
    for (int k = 0; k < kCurveSteps; ++k)
      curve.push_back(between(a, points[i], points[i + 1], d, static_cast<float>(k) / kCurveSteps));
  }
  curve.push_back(points[last]);
  return curve;
}

/// Twice the signed area; positive when the points run clockwise on the screen.
float turning(std::span<const Point> points) {
  float sum = 0.0f;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point a = points[i];
    const Point b = points[(i + 1) % points.size()];
    sum += a.x * b.y - b.x * a.y;
  }
  return sum;
}

}  // namespace

Transform Transform::similarity(float scale, float turns, bool flip, Point shift) {
  const float c = cos_turns(turns) * scale;
  const float s = sin_turns(turns) * scale;
  const float side = flip ? -1.0f : 1.0f;
  return {c * side, -s, s * side, c, shift};
}

Transform Transform::inverse() const {
  const float determinant = xx * yy - xy * yx;
  Transform back{yy / determinant, -xy / determinant, -yx / determinant, xx / determinant, {}};
  const Point moved = back(shift);
  back.shift = {-moved.x, -moved.y};
  return back;
}

Path::Path(std::vector<Point> points) : points_(std::move(points)), contours_{{0, points_.size()}} {}

void Path::add(const Path& other) {
  for (const Contour& contour : other.contours_) {
    const std::size_t begin = points_.size();
    for (std::size_t i = contour.begin; i < contour.end; ++i) points_.push_back(other.points_[i]);
    contours_.push_back({begin, points_.size()});
  }
}

void Path::cut(const Path& other) {
  for (const Contour& contour : other.contours_) {
    const std::size_t begin = points_.size();
    for (std::size_t i = contour.end; i > contour.begin; --i) points_.push_back(other.points_[i - 1]);
    contours_.push_back({begin, points_.size()});
  }
}

void Path::apply(const Transform& transform) {
  for (Point& point : points_) point = transform(point);
}

void Box::include(Point p) {
  low = {std::min(low.x, p.x), std::min(low.y, p.y)};
  high = {std::max(high.x, p.x), std::max(high.y, p.y)};
}

void Box::include(const Path& path) {
  for (const Point p : path.points()) include(p);
}

Path polygon(std::vector<Point> points) {
  if (turning(points) < 0.0f) std::reverse(points.begin(), points.end());
  return Path(std::move(points));
}

Path rectangle(float left, float top, float right, float bottom) {
  return Path({{left, top}, {right, top}, {right, bottom}, {left, bottom}});
}

Path ellipse(Point centre, float rx, float ry, float turns) {
  const float c = cos_turns(turns);
  const float s = sin_turns(turns);
  std::vector<Point> points;
  points.reserve(kCircleSteps);
  for (int i = 0; i < kCircleSteps; ++i) {
    const float at = static_cast<float>(i) / kCircleSteps;
    const float x = cos_turns(at) * rx;
    const float y = sin_turns(at) * ry;
    points.push_back(centre + Point{c * x - s * y, s * x + c * y});
  }
  return Path(std::move(points));
}

Path circle(Point centre, float radius) { return ellipse(centre, radius, radius); }

Path rounded(const std::vector<Point>& corners, float radius) {
  std::vector<Point> points;
  const std::size_t count = corners.size();
  points.reserve(count * 5);
  for (std::size_t i = 0; i < count; ++i) {
    const Point corner = corners[i];
    const Point back = corners[(i + count - 1) % count] - corner;
    const Point ahead = corners[(i + 1) % count] - corner;
    const Point start = corner + back * std::min(radius / length(back), 0.5f);
    const Point end = corner + ahead * std::min(radius / length(ahead), 0.5f);
    for (int k = 0; k <= 4; ++k) {
      const float t = static_cast<float>(k) / 4.0f;
      const float u = 1.0f - t;
      points.push_back(start * (u * u) + corner * (2.0f * u * t) + end * (t * t));
    }
  }
  return polygon(std::move(points));
}

Path rounded_box(float left, float top, float right, float bottom, float radius) {
  return rounded({{left, top}, {right, top}, {right, bottom}, {left, bottom}}, radius);
}

Path smooth(const std::vector<Point>& points) {
  std::vector<Point> curve;
  const std::size_t count = points.size();
  curve.reserve(count * kCurveSteps);
  for (std::size_t i = 0; i < count; ++i) {
    for (int k = 0; k < kCurveSteps; ++k)
      curve.push_back(between(points[(i + count - 1) % count], points[i], points[(i + 1) % count],
                              points[(i + 2) % count], static_cast<float>(k) / kCurveSteps));
  }
  return polygon(std::move(curve));
}

Path limb(Point a, Point b, float radius_a, float radius_b) {
  Path path = circle(a, radius_a);
  path.add(circle(b, radius_b));
  const Point normal = unit_normal(b - a);
  path.add(polygon({a + normal * radius_a, b + normal * radius_b, b - normal * radius_b, a - normal * radius_a}));
  return path;
}

Path stroke(const std::vector<Point>& points, float first, float last) {
  const std::vector<Point> curve = open_curve(points);
  const std::size_t count = curve.size();
  std::vector<Point> outline(2 * count);
  for (std::size_t i = 0; i < count; ++i) {
    const Point normal = unit_normal(curve[std::min(i + 1, count - 1)] - curve[i == 0 ? 0 : i - 1]);
    const float radius = lerp(first, last, static_cast<float>(i) / static_cast<float>(count - 1));
    outline[i] = curve[i] + normal * radius;
    outline[2 * count - 1 - i] = curve[i] - normal * radius;
  }
  Path path = polygon(std::move(outline));
  path.add(circle(curve.front(), first));
  path.add(circle(curve.back(), last));
  return path;
}

Path ring(Point centre, float radius, float inner) {
  Path path = circle(centre, radius);
  path.cut(circle(centre, inner));
  return path;
}

Path star(Point centre, float radius, float inner, int count) {
  std::vector<Point> points;
  for (int i = 0; i < 2 * count; ++i) {
    const float turns = static_cast<float>(i) / static_cast<float>(2 * count) - 0.25f;
    points.push_back(centre + Point{cos_turns(turns), sin_turns(turns)} * (i % 2 == 0 ? radius : inner));
  }
  return polygon(std::move(points));
}

}  // namespace atelier::pocket
