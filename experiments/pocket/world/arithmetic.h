#pragma once

namespace atelier::pocket {

// Pictures are pinned bit for bit, and libm's sine may differ in its last bit from machine to machine. So everything
// here is made of additions and multiplications, which IEEE 754 rounds the same everywhere. Angles are in turns: 1 is a
// full circle.

[[nodiscard]] constexpr float clamp01(float x) { return x < 0.0f ? 0.0f : (x > 1.0f ? 1.0f : x); }
[[nodiscard]] constexpr float lerp(float a, float b, float t) { return a + (b - a) * t; }
/// 0 below `low`, 1 above `high`, 3t² - 2t³ between.
[[nodiscard]] constexpr float smooth_step(float low, float high, float x) {
  const float t = clamp01((x - low) / (high - low));
  return t * t * (3.0f - 2.0f * t);
}
/// The largest whole number that is not above x, for |x| < 2^31.
[[nodiscard]] constexpr int floor_int(float x) {
  const int whole = static_cast<int>(x);
  return static_cast<float>(whole) > x ? whole - 1 : whole;
}
[[nodiscard]] constexpr int ceil_int(float x) { return -floor_int(-x); }

/// sin(2πt), |error| < 4e-6: Taylor's polynomial on a quarter turn.
[[nodiscard]] constexpr float sin_turns(float t) {
  t -= static_cast<float>(floor_int(t + 0.5f));  // [-0.5, 0.5]
  if (t > 0.25f) t = 0.5f - t;
  if (t < -0.25f) t = -0.5f - t;
  const float s = t * t;
  return t * (6.2831853f + s * (-41.341702f + s * (81.605249f + s * (-76.705860f + s * 42.058694f))));
}
[[nodiscard]] constexpr float cos_turns(float t) { return sin_turns(t + 0.25f); }

}  // namespace atelier::pocket
