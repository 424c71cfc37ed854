#include "framework/image/exif.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace atelier {
namespace {

constexpr std::uint16_t kOrientationTag = 0x0112;
constexpr std::size_t kEntrySize = 12;  // tag, type, count, value

/// Integers of a TIFF block in its byte order; nothing outside the block is read.
class Tiff {
 public:
  Tiff(std::span<const std::uint8_t> bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  [[nodiscard]] std::optional<std::uint32_t> read(std::size_t offset, std::size_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value = (value << 8) | bytes_[offset + (big_endian_ ? i : size - 1 - i)];
    }
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool big_endian_;
};

/// The value of an entry with one integer, which lies in the entry itself.
std::optional<std::uint32_t> entry_value(const Tiff& tiff, std::size_t entry) {
  const auto type = tiff.read(entry + 2, 2);
  if (!type || tiff.read(entry + 4, 4) != 1u) return std::nullopt;
  switch (*type) {
    case 1:
      return tiff.read(entry + 8, 1);
    case 3:
      return tiff.read(entry + 8, 2);
    case 4:
      return tiff.read(entry + 8, 4);
    default:
      return std::nullopt;
  }
}

std::optional<std::uint32_t> find_orientation(const Tiff& tiff) {
  const auto directory = tiff.read(4, 4);
  if (tiff.read(2, 2) != 42u || !directory) return std::nullopt;
  const auto count = tiff.read(*directory, 2);
  for (std::size_t i = 0; count && i < *count; ++i) {
    const std::size_t entry = std::size_t{*directory} + 2 + i * kEntrySize;
    const auto tag = tiff.read(entry, 2);
    if (!tag) return std::nullopt;
    if (*tag == kOrientationTag) return entry_value(tiff, entry);
  }
  return std::nullopt;
}

}  // namespace

int exif_orientation(std::span<const std::uint8_t> block) {
  constexpr std::array<std::uint8_t, 6> kPrefix{'E', 'x', 'i', 'f', 0, 0};
  if (block.size() >= kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), block.begin())) {
    block = block.subspan(kPrefix.size());
  }
  if (block.size() < 8 || block[0] != block[1] || (block[0] != 'I' && block[0] != 'M')) return 1;
  const auto value = find_orientation(Tiff(block, block[0] == 'M'));
  return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
}

}  // namespace atelier
