#include "framework/files/zip_writer.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

#include "framework/core/error.h"

// The layout and the field names are those of PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
namespace atelier {
namespace {

constexpr std::size_t kFixedLocal = 30;  // bytes of a local header before the name
constexpr std::size_t kExtraHeader = 4;  // an extra field's tag and size

/// The table of CRC-32 (ISO-HDLC: polynomial 0x04c11db7, reflected), which zip files have.
constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
    table[byte] = value;
  }
  return table;
}

std::uint32_t crc32_of(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

template <typename Number>
void append_number(std::string& out, Number value) {
  std::array<char, sizeof value> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

/// What the local header and the directory's record share, from "version needed" to "name length".
std::string shared_fields(const ZipContent& entry) {
  const auto size = static_cast<std::uint32_t>(entry.bytes.size());
  std::string out;
  append_number<std::uint16_t>(out, 20);      // version needed
  append_number<std::uint16_t>(out, 0x0800);  // names are UTF-8
  append_number<std::uint16_t>(out, 0);       // stored
  append_number<std::uint16_t>(out, 0);       // time
  append_number<std::uint16_t>(out, 0x21);    // date: 1980-01-01, the first that the format knows
  append_number(out, crc32_of(entry.bytes));
  append_number(out, size);
  append_number(out, size);
  append_number(out, static_cast<std::uint16_t>(entry.name.size()));
  return out;
}

/// The extra field that brings the data to a multiple of `alignment`.
std::string padding(std::size_t begin, std::size_t alignment) {
  const auto data = begin + kExtraHeader;
  const auto fill = (alignment - data % alignment) % alignment;
  std::string out = "FB";
  append_number(out, static_cast<std::uint16_t>(fill));
  return out + std::string(fill, 'Z');
}

}  // namespace

std::string stored_zip(std::span<const ZipContent> entries, std::size_t alignment, const std::string& where) {
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
  std::string file, directory;
  for (const ZipContent& entry : entries) {
    const auto header = file.size();
    if (entry.bytes.size() >= kMost - header - 0x20000 || entry.name.size() > 0xffff || entries.size() >= 0xffff) {
      throw Error({.where = where,
                   .found = fmt::format("{} entries of more than {} bytes", entries.size(), header),
                   .expected = "less than 4 GiB and 65535 entries",
                   .advice = "write safetensors"});
    }
    const std::string shared = shared_fields(entry);
    const std::string extra = padding(header + kFixedLocal + entry.name.size(), alignment);
    file += "PK\x03\x04" + shared;
    append_number(file, static_cast<std::uint16_t>(extra.size()));
    file += entry.name + extra;
    file += entry.bytes;
    directory += "PK\x01\x02";
    append_number<std::uint16_t>(directory, 20);  // version made by
    directory += shared + std::string(12, '\0');  // no extra field, comment, disk, attributes
    append_number(directory, static_cast<std::uint32_t>(header));
    directory += entry.name;
  }
  const auto begin = static_cast<std::uint32_t>(file.size());
  const auto count = static_cast<std::uint16_t>(entries.size());
  file += directory;
  file += "PK\x05\x06" + std::string(4, '\0');  // this disk, the directory's disk
  append_number(file, count);
  append_number(file, count);
  append_number(file, static_cast<std::uint32_t>(directory.size()));
  append_number(file, begin);
  return file + std::string(2, '\0');  // no comment
}

}  // namespace atelier
