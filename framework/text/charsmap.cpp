#include "framework/text/charsmap.h"

#include <fmt/format.h>

#include <cstring>

#include "framework/core/error.h"
#include "framework/text/prompt_text.h"

namespace atelier {
namespace {

// The fields of a unit of the double array.
bool has_leaf(std::uint32_t unit) { return ((unit >> 8U) & 1U) != 0; }
std::uint32_t value_of(std::uint32_t unit) { return unit & 0x7fffffffU; }
std::uint32_t label_of(std::uint32_t unit) { return unit & 0x800000ffU; }
std::uint32_t offset_of(std::uint32_t unit) { return (unit >> 10U) << ((unit & 0x200U) >> 6U); }

}  // namespace

Charsmap::Charsmap(std::string_view blob, const std::string& where) {
  if (blob.empty()) return;
  std::uint32_t size = 0;
  if (blob.size() >= sizeof size) std::memcpy(&size, blob.data(), sizeof size);  // little-endian, as the file
  if (blob.size() < sizeof size || size == 0 || size % sizeof(std::uint32_t) != 0 || size > blob.size() - sizeof size) {
    throw Error({.where = where + ": precompiled_charsmap",
                 .found = fmt::format("a table of {} bytes that claims a trie of {}", blob.size(), size),
                 .expected = "SentencePiece's table of replacements"});
  }
  units_.resize(size / sizeof(std::uint32_t));
  std::memcpy(units_.data(), blob.data() + sizeof size, size);
  pool_ = blob.substr(sizeof size + size);
  require_utf8(pool_, where + ": precompiled_charsmap");
}

Charsmap::Match Charsmap::front(std::string_view text) const {
  Match match{.replacement = text.substr(0, utf8_length(text)), .length = utf8_length(text)};
  if (units_.empty()) return match;
  std::size_t node = offset_of(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (node >= units_.size() || label_of(units_[node]) != byte) break;
    const auto unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit) || node >= units_.size()) continue;
    const std::size_t begin = value_of(units_[node]);
    if (begin >= pool_.size()) continue;
    match = {.replacement = std::string_view(pool_.c_str() + begin), .length = i + 1};
  }
  return match;
}

}  // namespace atelier
