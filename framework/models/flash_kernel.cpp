// No header of ours or of the standard library with inline code: what is compiled here for AVX-512 must not be what the
// linker keeps for the rest of the program. The attribute on each function confines the instructions to it.
#include "framework/models/flash_kernel.h"

#include <immintrin.h>

#include <cstring>

#define ATELIER_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace atelier::flash {
namespace {

constexpr int kRows = 6;         // queries whose accumulators fit the registers beside a strip of keys
constexpr int kStrip = 64;       // keys in one strip: four registers
constexpr int kWidthStrip = 64;  // output columns in one strip

struct alignas(64) Workspace {
  float logits[kRows][kKeyBlock];
  std::uint16_t weights[kRows][kKeyBlock];
  float sums[kRowBlock][kMaxWidth];  // of weight times value
  float maxima[kRowBlock];           // running maximum of the scaled logits, base 2
  float totals[kRowBlock];           // running sum of weights
};

/// 2^x for x <= 0, relative error below 2e-7.
ATELIER_AVX512 inline __m512 exp2_nonpositive(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-126.0f));
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(x, whole);
  __m512 p = _mm512_set1_ps(1.5403530393381609e-4f);  // Taylor coefficients of 2^f on [-1/2, 1/2]
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.3333558146428443e-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.6181291076284772e-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5504108664821580e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022650695910072e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718055994531e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, whole);
}

ATELIER_AVX512 inline __m512i broadcast_pair(const std::uint16_t* pair) {
  std::int32_t bits = 0;
  std::memcpy(&bits, pair, sizeof bits);
  return _mm512_set1_epi32(bits);
}

ATELIER_AVX512 inline __m512 dot(__m512 sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

/// logits[r][0..64) = q_r · k for one strip of keys.
ATELIER_AVX512 void strip_logits(const std::uint16_t* const* q, const std::uint16_t* keys, const HeadShape& shape,
                                 Workspace& work, std::int64_t column) {
  __m512 sums[kRows][4];
  for (auto& row : sums) {
    for (auto& sum : row) sum = _mm512_setzero_ps();
  }
  for (std::int64_t pair = 0; pair < shape.width / 2; ++pair) {
    const std::uint16_t* strip = keys + 2 * pair * shape.padded_keys;
    __m512i k[4];
    for (int j = 0; j < 4; ++j) k[j] = _mm512_loadu_si512(strip + 32 * j);
    for (int r = 0; r < kRows; ++r) {
      const __m512i a = broadcast_pair(q[r] + 2 * pair);
      for (int j = 0; j < 4; ++j) sums[r][j] = dot(sums[r][j], a, k[j]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < 4; ++j) _mm512_store_ps(&work.logits[r][column + 16 * j], sums[r][j]);
  }
}

/// Turns a row's logits into weights 2^(c·logit - maximum), updates maximum and total; returns what the sums so far
/// must be multiplied with.
ATELIER_AVX512 float soften_row(Workspace& work, int r, std::int64_t row, std::int64_t count, float c) {
  float* logits = work.logits[r];
  __m512 maximum = _mm512_set1_ps(-3.0e38f);
  for (std::int64_t i = 0; i < count; i += 16) {
    const auto left = count - i;
    const __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
    maximum = _mm512_mask_max_ps(maximum, mask, maximum, _mm512_load_ps(logits + i));
  }
  const float before = work.maxima[row];
  const float block = c * _mm512_reduce_max_ps(maximum);
  const float now = block > before ? block : before;
  const __m512 shift = _mm512_set1_ps(-now);
  const __m512 factor = _mm512_set1_ps(c);
  __m512 total = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < kKeyBlock; i += 16) {
    const auto left = count - i;
    const __mmask16 mask = left >= 16 ? 0xffff : left <= 0 ? 0 : static_cast<__mmask16>((1u << left) - 1);
    const __m512 x = _mm512_fmadd_ps(_mm512_load_ps(logits + i), factor, shift);
    const __m512 weight = _mm512_maskz_mov_ps(mask, exp2_nonpositive(x));
    total = _mm512_add_ps(total, weight);
    const __m256bh half = _mm512_cvtneps_pbh(weight);
    _mm256_store_si256(reinterpret_cast<__m256i*>(&work.weights[r][i]), reinterpret_cast<__m256i>(half));
  }
  const float rescale = _mm_cvtss_f32(_mm512_castps512_ps128(exp2_nonpositive(_mm512_set1_ps(before - now))));
  work.maxima[row] = now;
  work.totals[row] = work.totals[row] * rescale + _mm512_reduce_add_ps(total);
  return rescale;
}

/// sums[r] = sums[r] · rescale[r] + weights[r] · values, for Registers·16 output columns.
template <int Registers>
ATELIER_AVX512 void accumulate(Workspace& work, std::int64_t first_row, const float* rescale,
                               const std::uint16_t* values, const HeadShape& shape, std::int64_t pairs,
                               std::int64_t column) {
  __m512 sums[kRows][Registers];
  for (int r = 0; r < kRows; ++r) {
    const __m512 factor = _mm512_set1_ps(rescale[r]);
    for (int j = 0; j < Registers; ++j) {
      sums[r][j] = _mm512_mul_ps(_mm512_load_ps(&work.sums[first_row + r][column + 16 * j]), factor);
    }
  }
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const std::uint16_t* strip = values + 2 * (pair * shape.padded_width + column);
    __m512i v[Registers];
    for (int j = 0; j < Registers; ++j) v[j] = _mm512_loadu_si512(strip + 32 * j);
    for (int r = 0; r < kRows; ++r) {
      const __m512i a = broadcast_pair(&work.weights[r][2 * pair]);
      for (int j = 0; j < Registers; ++j) sums[r][j] = dot(sums[r][j], a, v[j]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < Registers; ++j) {
      _mm512_store_ps(&work.sums[first_row + r][column + 16 * j], sums[r][j]);
    }
  }
}

ATELIER_AVX512 void accumulate_all(Workspace& work, std::int64_t first_row, const float* rescale,
                                   const std::uint16_t* values, const HeadShape& shape, std::int64_t pairs) {
  for (std::int64_t column = 0; column < shape.padded_width; column += kWidthStrip) {
    switch ((shape.padded_width - column) / 16) {
      case 1:
        accumulate<1>(work, first_row, rescale, values, shape, pairs, column);
        break;
      case 2:
        accumulate<2>(work, first_row, rescale, values, shape, pairs, column);
        break;
      case 3:
        accumulate<3>(work, first_row, rescale, values, shape, pairs, column);
        break;
      default:
        accumulate<4>(work, first_row, rescale, values, shape, pairs, column);
    }
  }
}

ATELIER_AVX512 void write_rows(const Workspace& work, std::int64_t rows, std::int64_t stride, const HeadShape& shape,
                               std::uint16_t* out) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const __m512 scale = _mm512_set1_ps(1.0f / work.totals[row]);
    for (std::int64_t i = 0; i < shape.width; i += 16) {
      const auto left = shape.width - i;
      const __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
      const __m256bh half = _mm512_cvtneps_pbh(_mm512_mul_ps(_mm512_load_ps(&work.sums[row][i]), scale));
      _mm256_mask_storeu_epi16(out + row * stride + i, mask, reinterpret_cast<__m256i>(half));
    }
  }
}

}  // namespace

bool cpu_supports_kernel() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bf16");
}

void pack_head(const std::uint16_t* k, const std::uint16_t* v, std::int64_t stride, const HeadShape& shape,
               std::uint16_t* keys, std::uint16_t* values) {
  const auto padded = shape.padded_keys;
  for (std::int64_t pair = 0; pair < shape.width / 2; ++pair) {
    std::uint16_t* row = keys + 2 * pair * padded;
    for (std::int64_t i = 0; i < shape.keys; ++i) std::memcpy(row + 2 * i, k + i * stride + 2 * pair, 4);
    std::memset(row + 2 * shape.keys, 0, static_cast<std::size_t>(padded - shape.keys) * 4);
  }
  for (std::int64_t i = 0; i < padded; ++i) {
    std::uint16_t* row = values + (i / 2) * 2 * shape.padded_width + i % 2;
    for (std::int64_t j = 0; j < shape.padded_width; ++j) {
      row[2 * j] = i < shape.keys && j < shape.width ? v[i * stride + j] : std::uint16_t{0};
    }
  }
}

ATELIER_AVX512 void attend_rows(const std::uint16_t* q, std::int64_t rows, std::int64_t stride, const PackedHead& head,
                                const HeadShape& shape, std::uint16_t* out) {
  Workspace work;
  for (std::int64_t row = 0; row < kRowBlock; ++row) {
    work.maxima[row] = -3.0e38f;
    work.totals[row] = 0.0f;
    std::memset(work.sums[row], 0, static_cast<std::size_t>(shape.padded_width) * sizeof(float));
  }
  const float c = shape.scale * 1.44269504088896341f;  // logits in base 2
  for (std::int64_t key = 0; key < shape.keys; key += kKeyBlock) {
    const std::int64_t count = shape.keys - key < kKeyBlock ? shape.keys - key : kKeyBlock;
    const std::int64_t strips = (count + kStrip - 1) / kStrip;
    for (std::int64_t first = 0; first < rows; first += kRows) {
      const std::uint16_t* queries[kRows];
      for (int r = 0; r < kRows; ++r) queries[r] = q + (first + r < rows ? first + r : rows - 1) * stride;
      for (std::int64_t strip = 0; strip < strips; ++strip) {
        strip_logits(queries, head.keys + 2 * (key + strip * kStrip), shape, work, strip * kStrip);
      }
      float rescale[kRows];
      for (int r = 0; r < kRows; ++r) rescale[r] = soften_row(work, r, first + r, count, c);
      accumulate_all(work, first, rescale, head.values + key * shape.padded_width, shape, strips * kStrip / 2);
    }
  }
  write_rows(work, rows, stride, shape, out);
}

}  // namespace atelier::flash
