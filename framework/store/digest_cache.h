#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "framework/core/json.h"

namespace atelier {

/// SHA-256 of files, remembered by path, size and modification time (nanoseconds) in a file that every process of the
/// user appends to: photos and base models are read once. A file changed within the last two seconds is not remembered,
/// since another change might leave the same time. In a Hugging Face cache the blob's name is the digest. When the
/// cache cannot be read or written, files are hashed.
class DigestCache {
 public:
  /// $XDG_CACHE_HOME/atelier/digests.jsonl, else ~/.cache/atelier/digests.jsonl; empty (nothing remembered) without
  /// both.
  [[nodiscard]] static std::filesystem::path default_file();
  explicit DigestCache(std::filesystem::path file = default_file());

  /// Throws Error when the file cannot be read.
  [[nodiscard]] std::string digest(const std::filesystem::path& file);
  /// How many files had to be read so far.
  [[nodiscard]] std::size_t files_read() const { return files_read_; }

 private:
  struct Entry {
    std::int64_t size = 0;
    std::int64_t modified = 0;  // ns since 1970
    std::string sha256;
  };
  void load();
  void remember(const std::string& path, const Entry& entry);

  std::filesystem::path file_;
  std::map<std::string, Entry> entries_;
  std::size_t files_read_ = 0;
};

}  // namespace atelier
