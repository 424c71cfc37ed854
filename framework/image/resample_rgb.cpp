#include "framework/image/resample_rgb.h"

#include <immintrin.h>

#include <cstring>

namespace atelier::image_detail {
namespace {

#define ATELIER_AVX2 __attribute__((target("avx2")))

constexpr int kFraction = 22;         // of the weights, as in resize_eight_bit.cpp
constexpr int kLow = 11;              // bits of a weight's lower half: both halves fit 16 bits
constexpr int kGroup = 4;             // taps that are multiplied together
constexpr std::size_t kPadding = 16;  // bytes behind a row that a load may touch

/// Weights cut into two halves, w = high · 2^11 + low, because there is a fast product of 16-bit pairs and none of
/// 32 bit. For every output and group of four taps: four high halves, four low ones; zeros fill the last group.
struct SplitTaps {
  explicit SplitTaps(const Taps<std::int32_t>& taps) : groups((taps.stride + kGroup - 1) / kGroup) {
    halves.resize(taps.first.size() * static_cast<std::size_t>(groups) * 2 * kGroup);
    for (std::size_t i = 0; i < taps.first.size(); ++i) {
      std::int16_t* out = halves.data() + i * static_cast<std::size_t>(groups) * 2 * kGroup;
      for (int j = 0; j < taps.count[i]; ++j) {
        const std::int32_t weight = taps.of(static_cast<int>(i))[j];
        std::int16_t* group = out + j / kGroup * 2 * kGroup;
        group[j % kGroup] = static_cast<std::int16_t>(weight >> kLow);
        group[kGroup + j % kGroup] = static_cast<std::int16_t>(weight & ((1 << kLow) - 1));
      }
    }
  }

  [[nodiscard]] const std::int16_t* of(int i) const {
    return halves.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(groups) * 2 * kGroup;
  }

  int groups;
  std::vector<std::int16_t> halves;
};

/// One row at the lower lane, one at the upper.
ATELIER_AVX2 __m256i load_pair(const std::uint8_t* lower, const std::uint8_t* upper) {
  const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(lower));
  const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(upper));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
}

/// RGB RGB RGB RGB -> (R0 R1)(G0 G1)(B0 B1)(0 0) as 16 bit, for the first two pixels or the last two; in both lanes.
ATELIER_AVX2 __m256i pixel_pair(__m256i pixels, int first) {
  const char r = static_cast<char>(3 * first);
  const auto g = static_cast<char>(r + 1), b = static_cast<char>(r + 2);
  const auto r2 = static_cast<char>(r + 3), g2 = static_cast<char>(r + 4), b2 = static_cast<char>(r + 5);
  const __m128i order = _mm_setr_epi8(r, -1, r2, -1, g, -1, g2, -1, b, -1, b2, -1, -1, -1, -1, -1);
  return _mm256_shuffle_epi8(pixels, _mm256_broadcastsi128_si256(order));
}

/// Sums to 8 bit: the lower three bytes of each lane.
ATELIER_AVX2 __m256i finished(__m256i high, __m256i low) {
  const __m256i sum =
      _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(high, kLow), low), _mm256_set1_epi32(1 << (kFraction - 1)));
  const __m256i shifted = _mm256_srai_epi32(sum, kFraction);
  const __m256i narrow = _mm256_packs_epi32(shifted, shifted);
  return _mm256_packus_epi16(narrow, narrow);
}

ATELIER_AVX2 void resample_two_rows(const std::uint8_t* lower, const std::uint8_t* upper, std::uint8_t* lower_out,
                                    std::uint8_t* upper_out, const Taps<std::int32_t>& taps, const SplitTaps& split) {
  const int width = static_cast<int>(taps.first.size());
  for (int x = 0; x < width; ++x) {
    const std::ptrdiff_t begin = std::ptrdiff_t{3} * taps.first[static_cast<std::size_t>(x)];
    const std::int16_t* halves = split.of(x);
    const int groups = (taps.count[static_cast<std::size_t>(x)] + kGroup - 1) / kGroup;
    __m256i high = _mm256_setzero_si256(), low = high;
    for (int g = 0; g < groups; ++g, halves += 2 * kGroup) {
      const std::ptrdiff_t at = begin + std::ptrdiff_t{3} * kGroup * g;
      const __m256i pixels = load_pair(lower + at, upper + at);
      const __m256i weights = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
      const __m256i front = pixel_pair(pixels, 0), back = pixel_pair(pixels, 2);
      high = _mm256_add_epi32(high, _mm256_madd_epi16(front, _mm256_shuffle_epi32(weights, 0x00)));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(back, _mm256_shuffle_epi32(weights, 0x55)));
      low = _mm256_add_epi32(low, _mm256_madd_epi16(front, _mm256_shuffle_epi32(weights, 0xaa)));
      low = _mm256_add_epi32(low, _mm256_madd_epi16(back, _mm256_shuffle_epi32(weights, 0xff)));
    }
    const __m256i bytes = finished(high, low);
    const int first = _mm256_extract_epi32(bytes, 0), second = _mm256_extract_epi32(bytes, 4);
    std::memcpy(lower_out + 3 * x, &first, 3);
    std::memcpy(upper_out + 3 * x, &second, 3);
  }
}

/// 16 columns of one output row from `at` on.
ATELIER_AVX2 void sum_columns(const std::uint8_t* at, std::ptrdiff_t stride, const std::int32_t* weights, int count,
                              std::uint8_t* out) {
  const __m256i start = _mm256_set1_epi32(1 << (kFraction - 1));
  __m256i first = start, second = start;
  for (int j = 0; j < count; ++j, at += stride) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m256i weight = _mm256_set1_epi32(weights[j]);
    first = _mm256_add_epi32(first, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), weight));
    second = _mm256_add_epi32(second, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)), weight));
  }
  const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(first, kFraction), _mm256_srai_epi32(second, kFraction));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);  // packing works lane by lane
  const __m128i narrow = _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), narrow);
}

#undef ATELIER_AVX2

}  // namespace

bool has_avx2() {
  static const bool found = __builtin_cpu_supports("avx2") != 0;
  return found;
}

Image resample_rows_avx2(const Image& in, int width, const Taps<std::int32_t>& taps, int threads) {
  auto out = make_raster<Image>({width, in.height});
  const SplitTaps split(taps);
  // The last group of a row's last pixels reaches behind the row.
  const std::size_t room = in.stride() + static_cast<std::size_t>(3 * kGroup) + kPadding;
  parallel_rows(in.height, threads, [&](int, int first, int last) {
    std::vector<std::uint8_t> lower(room), upper(room), spare(out.stride());
    for (int y = first; y < last; y += 2) {
      const bool single = y + 1 == last;
      std::memcpy(lower.data(), in.row(y), in.stride());
      if (!single) std::memcpy(upper.data(), in.row(y + 1), in.stride());
      resample_two_rows(lower.data(), upper.data(), out.row(y), single ? spare.data() : out.row(y + 1), taps, split);
    }
  });
  return out;
}

Image resample_columns_avx2(const Image& in, int height, const Taps<std::int32_t>& taps, int threads) {
  constexpr std::size_t kWide = 16;
  auto out = make_raster<Image>({in.width, height});
  const std::size_t stride = in.stride();
  parallel_rows(height, threads, [&](int, int first, int last) {
    for (int y = first; y < last; ++y) {
      const std::uint8_t* source = in.row(taps.first[static_cast<std::size_t>(y)]);
      const int count = taps.count[static_cast<std::size_t>(y)];
      std::size_t x = 0;
      for (; x + kWide <= stride; x += kWide) {
        sum_columns(source + x, static_cast<std::ptrdiff_t>(stride), taps.of(y), count, out.row(y) + x);
      }
      for (; x < stride; ++x) {
        std::int32_t sum = 1 << (kFraction - 1);
        for (int j = 0; j < count; ++j) sum += source[static_cast<std::size_t>(j) * stride + x] * taps.of(y)[j];
        out.row(y)[x] = static_cast<std::uint8_t>(std::clamp(sum >> kFraction, 0, 255));
      }
    }
  });
  return out;
}

}  // namespace atelier::image_detail
