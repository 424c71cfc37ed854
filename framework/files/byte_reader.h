#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "framework/core/error.h"

namespace atelier {

/// Walks over the bytes of a foreign file and never past their end. Integers are little-endian.
/// Borrows the bytes and `where` (the file's name, for errors); both outlive the reader.
class ByteReader {
 public:
  /// `begin` may not lie beyond the end; positions count from the start of `bytes`.
  ByteReader(std::span<const std::byte> bytes, const std::string& where, std::size_t begin = 0)
      : bytes_(bytes), where_(where), position_(begin) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }

  /// The next `count` bytes. Throws Error when fewer are left.
  std::span<const std::byte> take(std::uint64_t count) {
    if (count > left()) {
      throw Error({.where = fmt::format("{}: byte {}", where_, position_),
                   .found = fmt::format("{} more bytes", left()),
                   .expected = fmt::format("{}", count),
                   .advice = "the file is incomplete or damaged: fetch it again"});
    }
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return taken;
  }

  std::string_view text(std::uint64_t count) {
    const auto taken = take(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  template <std::integral Integer>
  Integer number() {
    Integer value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& where_;
  std::size_t position_;
};

}  // namespace atelier
