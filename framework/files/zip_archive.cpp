#include "framework/files/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "framework/core/error.h"
#include "framework/files/byte_reader.h"
#include "framework/files/quote.h"

// The layout and the field names are those of PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central
// directory), 4.3.14 to 4.3.16 (its end, and the zip64 forms) and 4.5.3 (zip64 extra field).
namespace atelier {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kEnd64Size = 56;
constexpr std::size_t kLocatorSize = 20;
constexpr std::size_t kCentralSize = 46;
constexpr std::uint32_t kIn64 = 0xffffffff;        // "look into the zip64 field"
constexpr std::uint16_t kEncrypted = 0x2041;       // bits 0, 6 and 13
constexpr std::uint16_t kSizesAfterData = 0x0008;  // bit 3: the local header's sizes are zero
constexpr const char* kDamagedZip = "the file is incomplete or damaged: fetch it again";
constexpr const char* kRepack = "save the checkpoint again with torch.save, or convert it to safetensors";

struct Directory {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  std::uint64_t entries = 0;
  std::size_t end_record = 0;  // where the records after the directory begin
};

struct CentralEntry {
  std::string name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint64_t size = 0;  // as stored
  std::uint64_t uncompressed = 0;
  std::uint64_t header = 0;
  std::size_t position = 0;      // of the directory's record
  std::uint64_t data_begin = 0;  // filled from the local header
};

/// What all steps need.
struct Source {
  std::span<const std::byte> bytes;
  const std::string& where;

  [[noreturn]] void fail(std::uint64_t at, std::string found, std::string expected = {},
                         const char* advice = kDamagedZip) const {
    throw Error({.where = fmt::format("{}: byte {}", where, at),
                 .found = std::move(found),
                 .expected = std::move(expected),
                 .advice = advice});
  }

  [[nodiscard]] ByteReader at(std::uint64_t position, std::uint64_t needed) const {
    if (position > bytes.size() || needed > bytes.size() - position) {
      fail(position, fmt::format("a zip record outside the file of {} bytes", bytes.size()));
    }
    return {bytes, where, static_cast<std::size_t>(position)};
  }
};

/// The end record is the last one; only a comment of at most 65535 bytes may follow.
std::size_t find_end_record(const Source& source) {
  const std::size_t size = source.bytes.size();
  if (size >= kEndSize) {
    const std::size_t last = size - kEndSize;
    const std::size_t first = last > 0xffff ? last - 0xffff : 0;
    for (std::size_t position = last + 1; position-- > first;) {
      ByteReader reader(source.bytes, source.where, position);
      if (reader.number<std::uint32_t>() != kEnd) continue;
      reader.take(16);
      const auto comment_size = reader.number<std::uint16_t>();
      if (comment_size == reader.left()) return position;
    }
  }
  source.fail(size, "a zip file without its central directory, which is its last part", "the end of a zip file");
}

std::optional<Directory> read_end64(const Source& source, std::size_t end_record) {
  if (end_record < kLocatorSize) return std::nullopt;
  ByteReader locator(source.bytes, source.where, end_record - kLocatorSize);
  if (locator.number<std::uint32_t>() != kEnd64Locator) return std::nullopt;
  const auto disk = locator.number<std::uint32_t>();
  const auto position = locator.number<std::uint64_t>();
  const auto disks = locator.number<std::uint32_t>();
  if (disk != 0 || disks > 1) source.fail(end_record, "a zip file in several parts", "one file", kRepack);
  ByteReader record = source.at(position, kEnd64Size);
  if (position > end_record - kLocatorSize || end_record - kLocatorSize - position < kEnd64Size ||
      record.number<std::uint32_t>() != kEnd64) {
    source.fail(position, "no zip64 end record where its locator points");
  }
  record.take(8 + 2 + 2);  // its size, versions
  if (record.number<std::uint32_t>() != 0 || record.number<std::uint32_t>() != 0) {
    source.fail(position, "a zip file in several parts", "one file", kRepack);
  }
  record.take(8);  // entries on this disk
  Directory directory;
  directory.entries = record.number<std::uint64_t>();
  directory.size = record.number<std::uint64_t>();
  directory.begin = record.number<std::uint64_t>();
  directory.end_record = static_cast<std::size_t>(position);
  return directory;
}

Directory read_directory_place(const Source& source) {
  const std::size_t end_record = find_end_record(source);
  ByteReader reader(source.bytes, source.where, end_record + 4);
  const auto disk = reader.number<std::uint16_t>();
  const auto directory_disk = reader.number<std::uint16_t>();
  reader.take(2);  // entries on this disk
  Directory directory;
  directory.entries = reader.number<std::uint16_t>();
  directory.size = reader.number<std::uint32_t>();
  directory.begin = reader.number<std::uint32_t>();
  directory.end_record = end_record;
  if ((disk != 0 && disk != 0xffff) || (directory_disk != 0 && directory_disk != 0xffff)) {
    source.fail(end_record, "a zip file in several parts", "one file", kRepack);
  }
  if (const auto wide = read_end64(source, end_record)) {
    // Two directories in one file would let two programs read two different files.
    if ((directory.entries != 0xffff && directory.entries != wide->entries) ||
        (directory.size != kIn64 && directory.size != wide->size) ||
        (directory.begin != kIn64 && directory.begin != wide->begin)) {
      source.fail(end_record, "two end records that contradict each other");
    }
    directory = *wide;
  }
  const bool fits = directory.begin <= directory.end_record && directory.size == directory.end_record - directory.begin;
  if (!fits || directory.entries > directory.size / kCentralSize) {
    source.fail(directory.end_record,
                fmt::format("a central directory of {} entries in {} bytes from byte {}", directory.entries,
                            directory.size, directory.begin),
                "one that ends at its end record");
  }
  return directory;
}

/// The zip64 extra field holds, in this order, those of the three values that the header has no room for.
void read_zip64_extra(const Source& source, std::span<const std::byte> extra, std::uint64_t at,
                      std::initializer_list<std::uint64_t*> values) {
  ByteReader reader(extra, source.where);
  while (reader.left() >= 4) {
    const auto id = reader.number<std::uint16_t>();
    const auto size = reader.number<std::uint16_t>();
    if (size > reader.left()) source.fail(at, "a damaged extra field");
    const auto body = reader.take(size);
    if (id != 1) continue;
    ByteReader wide(body, source.where);
    for (std::uint64_t* value : values) {
      if (*value == kIn64 && wide.left() >= 8) *value = wide.number<std::uint64_t>();
    }
    return;
  }
}

CentralEntry read_central_entry(const Source& source, ByteReader& reader) {
  const std::size_t at = reader.position();
  if (reader.number<std::uint32_t>() != kCentralHeader) source.fail(at, "no entry of the central directory");
  reader.take(4);  // versions
  CentralEntry entry;
  entry.flags = reader.number<std::uint16_t>();
  entry.method = reader.number<std::uint16_t>();
  reader.take(8);  // time, date, checksum
  entry.size = reader.number<std::uint32_t>();
  std::uint64_t uncompressed = reader.number<std::uint32_t>();
  const auto name_size = reader.number<std::uint16_t>();
  const auto extra_size = reader.number<std::uint16_t>();
  const auto comment_size = reader.number<std::uint16_t>();
  reader.take(8);  // disk, attributes
  entry.header = reader.number<std::uint32_t>();
  entry.name = reader.text(name_size);
  read_zip64_extra(source, reader.take(extra_size), at, {&uncompressed, &entry.size, &entry.header});
  reader.take(comment_size);
  entry.uncompressed = uncompressed;
  entry.position = at;
  return entry;
}

/// The whole central directory.
std::vector<CentralEntry> read_directory(const Source& source, const Directory& directory) {
  ByteReader reader(source.bytes.first(directory.end_record), source.where, static_cast<std::size_t>(directory.begin));
  std::vector<CentralEntry> entries;
  entries.reserve(static_cast<std::size_t>(directory.entries));
  for (std::uint64_t i = 0; i < directory.entries; ++i) entries.push_back(read_central_entry(source, reader));
  if (reader.left() != 0) source.fail(reader.position(), "bytes after the last entry of the central directory");
  return entries;
}

void check_stored(const Source& source, const CentralEntry& entry) {
  const std::string name = quote(entry.name);
  if ((entry.flags & kEncrypted) != 0)
    source.fail(entry.position, "the encrypted entry " + name, "plain entries", kRepack);
  if (entry.method != 0) {
    source.fail(entry.position, fmt::format("the entry {} compressed by method {}", name, entry.method),
                "stored entries", kRepack);
  }
  if (entry.size != entry.uncompressed)
    source.fail(entry.position, fmt::format("two sizes of the stored entry {}", name));
}

/// Checks the header in front of the data against the directory's, and learns where the data begins.
void read_local_header(const Source& source, const Directory& directory, CentralEntry& entry) {
  ByteReader reader = source.at(entry.header, 30);
  const std::string name = quote(entry.name);
  if (reader.number<std::uint32_t>() != kLocalHeader) source.fail(entry.header, "no header of the entry " + name);
  reader.take(2);
  const auto flags = reader.number<std::uint16_t>();
  const auto method = reader.number<std::uint16_t>();
  reader.take(8);  // time, date, checksum
  const auto compressed = reader.number<std::uint32_t>();
  const auto uncompressed = reader.number<std::uint32_t>();
  const auto name_size = reader.number<std::uint16_t>();
  const auto extra_size = reader.number<std::uint16_t>();
  const auto differs = [&](std::uint32_t size) {
    return size != kIn64 && size != entry.size && !(size == 0 && (flags & kSizesAfterData) != 0);
  };
  if (reader.text(name_size) != entry.name || method != entry.method || ((flags ^ entry.flags) & kEncrypted) != 0 ||
      differs(compressed) || differs(uncompressed)) {
    source.fail(entry.header, fmt::format("a header that contradicts the directory about the entry {}", name));
  }
  reader.take(extra_size);
  entry.data_begin = reader.position();
  if (entry.data_begin > directory.begin || entry.size > directory.begin - entry.data_begin) {
    source.fail(entry.data_begin, fmt::format("{} bytes of the entry {}", entry.size, name),
                fmt::format("an end before the central directory at byte {}", directory.begin));
  }
}

void check_overlap(const Source& source, std::vector<CentralEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.header < b.header; });
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].header < entries[i - 1].data_begin + entries[i - 1].size) {
      source.fail(entries[i].header,
                  fmt::format("the entry {} inside {}", quote(entries[i].name), quote(entries[i - 1].name)),
                  "entries one after the other");
    }
  }
}

}  // namespace

ZipArchive ZipArchive::parse(std::span<const std::byte> bytes, const std::string& where) {
  const Source source{.bytes = bytes, .where = where};
  const Directory directory = read_directory_place(source);
  std::vector<CentralEntry> entries = read_directory(source, directory);
  for (CentralEntry& entry : entries) {
    check_stored(source, entry);
    read_local_header(source, directory, entry);
  }
  check_overlap(source, entries);

  ZipArchive archive;
  for (auto& entry : entries) {
    const auto begin = static_cast<std::size_t>(entry.data_begin);
    const Entry view{.bytes = bytes.subspan(begin, static_cast<std::size_t>(entry.size)), .offset = begin};
    const auto [place, inserted] = archive.entries_.emplace(std::move(entry.name), view);
    if (!inserted) source.fail(entry.header, fmt::format("the entry {} twice", quote(place->first)), "each name once");
  }
  return archive;
}

std::vector<std::string> ZipArchive::names(std::span<const std::byte> bytes, const std::string& where) {
  const Source source{.bytes = bytes, .where = where};
  std::vector<std::string> names;
  for (auto& entry : read_directory(source, read_directory_place(source))) names.push_back(std::move(entry.name));
  return names;
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace atelier
