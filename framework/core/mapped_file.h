#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace atelier {

/// A whole file mapped read-only. Shared by everything that points into it; the mapping ends with the last owner.
/// The mapping is private to us but not a copy: nobody may write to a file that is in use (writers replace files by
/// rename, see AtomicFile).
class MappedFile {
 public:
  /// Throws Error when the file cannot be opened, is not a regular file, or cannot be mapped.
  [[nodiscard]] static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, std::size_t size);

  std::filesystem::path path_;
  const std::byte* data_;
  std::size_t size_;
};

}  // namespace atelier
