#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/core/mapped_file.h"
#include "framework/image/image.h"

namespace atelier::worker {

/// A PNG with a JSON of what it is in a text chunk ("atelier").
[[nodiscard]] std::vector<std::byte> image_bytes(const Image& image, const Json& about);

/// Writes the images 000.png, 001.png, … into a zip file whose entries are stored as they are and carry no time, so
/// that equal images give equal bytes. Throws Error.
void write_image_set(const std::filesystem::path& target, const std::vector<std::vector<std::byte>>& images);

/// The same of files in any of the formats that are read, as they are: "000.png", "001.jpg", … by their first bytes.
/// The bytes are borrowed. Throws Error.
void write_file_set(const std::filesystem::path& target, const std::vector<std::span<const std::byte>>& files);

/// The images of one, by name: views of the mapped file.
class ImageSet {
 public:
  /// Throws Error for a file that is not such a zip.
  [[nodiscard]] static ImageSet open(const std::filesystem::path& path);

  struct Entry {
    std::string name;  ///< "000.png"
    std::span<const std::byte> bytes;
  };
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<Entry> entries_;
};

}  // namespace atelier::worker
