#pragma once

#include <cstddef>
#include <cstdint>

namespace atelier {

/// SplitMix64 (Steele, Lea, Flood 2014): what resampling draws from, the same numbers everywhere.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed = 0) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// High 64 bits of next() * n, in two halves: 128-bit integers are no part of C++.
  std::size_t below(std::size_t n) {
    const std::uint64_t x = next();
    const std::uint64_t low = (x & 0xffffffffU) * n;
    return static_cast<std::size_t>(((x >> 32U) * n + (low >> 32U)) >> 32U);
  }

 private:
  std::uint64_t state_;
};

}  // namespace atelier
