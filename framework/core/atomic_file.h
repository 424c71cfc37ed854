#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "framework/core/file_descriptor.h"

namespace atelier {

/// Writes a file that appears whole or not at all: bytes go to a temporary file in the same folder, commit() syncs and
/// renames it over the target and syncs the folder. Without commit() the target is untouched and the temporary removed.
class AtomicFile {
 public:
  /// Throws Error when the folder cannot be written.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws Error (with the file, what the system said, and for a full disk what to do).
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  FileDescriptor file_;
};

/// The whole file in one call.
void write_file_atomically(const std::filesystem::path& target, std::string_view content);

/// Reads a whole small text file. Throws Error when it is missing or longer than `limit` bytes.
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path, std::size_t limit = 64u << 20);

}  // namespace atelier
