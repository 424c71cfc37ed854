#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/framework/files/little_endian.h"

/// Writes zip files, good and bad ones, by PKWARE's APPNOTE.TXT.
struct ZipWriter {
  struct Entry {
    std::string name;
    std::string data;
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
  };
  std::vector<Entry> entries;
  bool zip64 = false;  ///< sizes and offsets only in the 64-bit fields

  [[nodiscard]] std::string bytes() const {
    std::string file;
    std::string directory;
    for (const auto& entry : entries) {
      const auto header = file.size();
      file += "PK\x03\x04" + common(entry) + little_endian<std::uint16_t>(0) + entry.name + entry.data;
      directory += "PK\x01\x02" + little_endian<std::uint16_t>(45) + common(entry);
      const std::string extra = zip64 ? little_endian<std::uint16_t>(1) + little_endian<std::uint16_t>(24) +
                                            little_endian<std::uint64_t>(entry.data.size()) +
                                            little_endian<std::uint64_t>(entry.data.size()) +
                                            little_endian<std::uint64_t>(header)
                                      : "";
      directory += little_endian(static_cast<std::uint16_t>(extra.size())) + std::string(10, '\0') +
                   little_endian(zip64 ? ~0u : static_cast<std::uint32_t>(header)) + entry.name + extra;
    }
    return file + directory + end(file.size(), directory.size());
  }

 private:
  /// Version to name length: the part that both headers share.
  [[nodiscard]] std::string common(const Entry& entry) const {
    const auto size = zip64 ? ~0u : static_cast<std::uint32_t>(entry.data.size());
    return little_endian<std::uint16_t>(45) + little_endian(entry.flags) + little_endian(entry.method) +
           std::string(8, '\0') + little_endian(size) + little_endian(size) +
           little_endian(static_cast<std::uint16_t>(entry.name.size()));
  }

  [[nodiscard]] std::string end(std::uint64_t begin, std::uint64_t size) const {
    const auto count = static_cast<std::uint64_t>(entries.size());
    const std::string record = std::string("PK\x05\x06") + std::string(4, '\0');
    if (!zip64) {
      const auto narrow = little_endian(static_cast<std::uint16_t>(count));
      return record + narrow + narrow + little_endian(static_cast<std::uint32_t>(size)) +
             little_endian(static_cast<std::uint32_t>(begin)) + std::string(2, '\0');
    }
    return "PK\x06\x06" + little_endian<std::uint64_t>(44) + std::string(12, '\0') + little_endian(count) +
           little_endian(count) + little_endian(size) + little_endian(begin) + "PK\x06\x07" + std::string(4, '\0') +
           little_endian(begin + size) + little_endian<std::uint32_t>(1) + record + std::string(12, '\xff') +
           std::string(2, '\0');
  }
};
