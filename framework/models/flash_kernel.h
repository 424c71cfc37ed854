#pragma once

#include <cstdint>

namespace atelier::flash {

/// Keys and values of one head as the dot-product instruction wants them: pairs of bfloat16 side by side.
struct PackedHead {
  const std::uint16_t* keys;    ///< [d/2][padded_keys][2]
  const std::uint16_t* values;  ///< [padded_keys/2][padded_width][2]
};

struct HeadShape {
  std::int64_t width;         ///< d, even
  std::int64_t padded_width;  ///< d rounded up to 16
  std::int64_t keys;          ///< L
  std::int64_t padded_keys;   ///< L rounded up to kKeyBlock
  float scale;                ///< 1 / sqrt(d)
};

constexpr std::int64_t kKeyBlock = 256;  ///< keys whose logits are held at once
constexpr std::int64_t kRowBlock = 48;   ///< queries that share a block of keys while it is in the first-level cache
constexpr std::int64_t kMaxWidth = 160;

/// Whether this CPU has the AVX-512 BF16 instructions.
[[nodiscard]] bool cpu_supports_kernel();

/// Copies one head of k and v (rows `stride` elements apart) into the packed form. `keys` and `values` are zeroed first
/// where padding needs it.
void pack_head(const std::uint16_t* k, const std::uint16_t* v, std::int64_t stride, const HeadShape& shape,
               std::uint16_t* keys, std::uint16_t* values);

/// Attention of up to kRowBlock queries of one head over all its keys. q and out: rows `stride` elements apart,
/// bfloat16.
void attend_rows(const std::uint16_t* q, std::int64_t rows, std::int64_t stride, const PackedHead& head,
                 const HeadShape& shape, std::uint16_t* out);

}  // namespace atelier::flash
