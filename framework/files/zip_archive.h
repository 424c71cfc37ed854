#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

/// The entries of a zip file whose data is stored as it is (what torch.save writes; also with zip64 records), as views
/// into the file's bytes. Checksums are not verified: torch can be told to leave them out.
class ZipArchive {
 public:
  struct Entry {
    std::span<const std::byte> bytes;
    std::size_t offset = 0;  ///< of the first data byte in the file
  };

  /// Reads the central directory. Borrows `bytes`. Throws Error (naming `where`, entry and byte offset) for a damaged
  /// or incomplete archive, for one in several parts, and for entries that are compressed, encrypted, named twice or
  /// overlap.
  [[nodiscard]] static ZipArchive parse(std::span<const std::byte> bytes, const std::string& where);

  /// The names alone, in file order, whatever the entries are: to tell what kind of archive it is before it is refused.
  [[nodiscard]] static std::vector<std::string> names(std::span<const std::byte> bytes, const std::string& where);

  /// By name, as stored: "archive/data/0".
  [[nodiscard]] const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  /// Null when there is none.
  [[nodiscard]] const Entry* find(std::string_view name) const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace atelier
