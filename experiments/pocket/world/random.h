#pragma once

#include <cstdint>
#include <initializer_list>

namespace atelier::pocket {

/// SplitMix64 (Steele, Lea & Flood 2014) with mappings of its own: the standard's distributions differ between
/// libraries. A stream is named by numbers, so that what one part draws moves no other part's values.
///
/// C++ leaves open in which order a call's arguments are evaluated: draw two values in two statements, or in braces.
class Random {
 public:
  explicit Random(std::initializer_list<std::uint64_t> name) {
    for (const std::uint64_t part : name) state_ = mix(state_ + kStep + part);
  }

  [[nodiscard]] std::uint64_t next() { return mix(state_ += kStep); }
  /// In [0, 1), a multiple of 2^-24.
  [[nodiscard]] float unit() { return static_cast<float>(next() >> 40) * 0x1p-24f; }
  [[nodiscard]] float range(float low, float high) { return low + (high - low) * unit(); }
  /// In [-1, 1).
  [[nodiscard]] float symmetric() { return range(-1.0f, 1.0f); }
  /// In 0 .. count - 1, for 0 < count < 2^31.
  [[nodiscard]] int below(int count) {
    return static_cast<int>(((next() >> 32) * static_cast<std::uint64_t>(count)) >> 32);
  }
  [[nodiscard]] bool chance(float probability) { return unit() < probability; }

 private:
  static constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15u;
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::uint64_t state_ = 0;
};

}  // namespace atelier::pocket
