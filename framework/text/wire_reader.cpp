#include "framework/text/wire_reader.h"

#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {

void WireReader::fail(const std::string& found, const std::string& expected) const {
  throw Error({.where = fmt::format("{}: byte {}", where_, offset_ + at_), .found = found, .expected = expected});
}

std::uint64_t WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at_ >= message_.size()) fail("the end of a message within a number", "a protocol buffer");
    const auto byte = static_cast<unsigned char>(message_[at_++]);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number of more than ten bytes", "a protocol buffer");
}

std::uint64_t WireReader::fixed(std::size_t size) {
  if (message_.size() - at_ < size) fail("the end of a message within a number", "a protocol buffer");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(message_[at_ + i])) << (8 * i);
  }
  at_ += size;
  return value;
}

bool WireReader::next(Field& field) {
  if (at_ >= message_.size()) return false;
  const auto key = varint();
  field = {.number = key >> 3U, .value = 0, .bytes = {}, .delimited = false};
  switch (key & 7U) {
    case 0:
      field.value = varint();
      return true;
    case 1:
      field.value = fixed(8);
      return true;
    case 5:
      field.value = fixed(4);
      return true;
    case 2: {
      const auto length = varint();
      if (length > message_.size() - at_) {
        fail(fmt::format("a field of {} bytes", length), fmt::format("at most {}", message_.size() - at_));
      }
      field.bytes = message_.substr(at_, static_cast<std::size_t>(length));
      field.delimited = true;
      at_ += field.bytes.size();
      return true;
    }
    default:
      fail(fmt::format("a field of wire type {}", key & 7U), "a protocol buffer");
  }
}

WireReader WireReader::inside(const Field& field) const {
  if (!field.delimited) fail("a number", fmt::format("a message in field {}", field.number));
  return {field.bytes, where_, offset_ + static_cast<std::size_t>(field.bytes.data() - message_.data())};
}

}  // namespace atelier
