#pragma once

#include <span>
#include <vector>

namespace atelier::pocket {

struct Point {
  float x = 0.0f;
  float y = 0.0f;
};
[[nodiscard]] constexpr Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
[[nodiscard]] constexpr Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
[[nodiscard]] constexpr Point operator*(Point a, float s) { return {a.x * s, a.y * s}; }
[[nodiscard]] constexpr Point mix_points(Point a, Point b, float t) { return a + (b - a) * t; }

/// x to the right, y down. All transformations of the world are similarities, at times with a flip.
struct Transform {
  float xx = 1.0f, xy = 0.0f, yx = 0.0f, yy = 1.0f;
  Point shift = {};
  [[nodiscard]] constexpr Point operator()(Point p) const {
    return {xx * p.x + xy * p.y + shift.x, yx * p.x + yy * p.y + shift.y};
  }
  [[nodiscard]] Transform inverse() const;
  /// Turn by `turns` (clockwise on the screen), flip x first if asked, then scale and shift.
  [[nodiscard]] static Transform similarity(float scale, float turns, bool flip, Point shift);
};

/// One or more closed polygons; a second one that runs the other way round is a hole.
class Path {
 public:
  struct Contour {
    std::size_t begin = 0, end = 0;
  };
  Path() = default;
  explicit Path(std::vector<Point> points);
  void add(const Path& other);
  /// As a hole in what is there: the other's contours, backwards.
  void cut(const Path& other);
  void apply(const Transform& transform);

  [[nodiscard]] std::span<const Point> points() const { return points_; }
  [[nodiscard]] std::span<const Contour> contours() const { return contours_; }

 private:
  std::vector<Point> points_;
  std::vector<Contour> contours_;
};

/// Smallest and largest coordinates.
struct Box {
  Point low = {1e9f, 1e9f};
  Point high = {-1e9f, -1e9f};
  void include(Point p);
  void include(const Path& path);
  [[nodiscard]] float width() const { return high.x - low.x; }
  [[nodiscard]] float height() const { return high.y - low.y; }
};

// Shapes. All run clockwise on the screen.
[[nodiscard]] Path polygon(std::vector<Point> points);
[[nodiscard]] Path rectangle(float left, float top, float right, float bottom);
[[nodiscard]] Path ellipse(Point centre, float rx, float ry, float turns = 0.0f);
[[nodiscard]] Path circle(Point centre, float radius);
/// A polygon whose corners are rounded by quadratic curves that begin `radius` before them.
[[nodiscard]] Path rounded(const std::vector<Point>& corners, float radius);
[[nodiscard]] Path rounded_box(float left, float top, float right, float bottom, float radius);
/// The closed Catmull-Rom spline through the points.
[[nodiscard]] Path smooth(const std::vector<Point>& points);
/// Two discs and what lies between them.
[[nodiscard]] Path limb(Point a, Point b, float radius_a, float radius_b);
/// An open Catmull-Rom spline drawn with a round pen whose radius goes from `first` to `last`.
[[nodiscard]] Path stroke(const std::vector<Point>& points, float first, float last);
[[nodiscard]] Path ring(Point centre, float radius, float inner);
/// A star with `count` tips; the first one up.
[[nodiscard]] Path star(Point centre, float radius, float inner, int count);

}  // namespace atelier::pocket
