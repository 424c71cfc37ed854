#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "framework/store/digest_cache.h"

namespace atelier {

/// JPEG, PNG or WebP by its first bytes; names do not count.
[[nodiscard]] bool is_picture(const std::filesystem::path& file);

/// What lies in a folder of photos. Photos come in byte order of their names, which is the order of `sorted(listdir)`
/// and of zero-padded numbers; sub-folders are not entered.
struct PhotoListing {
  std::vector<std::filesystem::path> photos;
  std::vector<std::string> odd;     ///< names: no picture by content, and nothing that belongs to a concept
  std::vector<std::string> broken;  ///< names that promise a picture (.jpg, …) over other content
  std::vector<std::string> hidden;  ///< names beginning with '.', Thumbs.db: ignored
};
/// Throws Error when the folder is not there.
[[nodiscard]] PhotoListing list_photos(const std::filesystem::path& folder);

/// `name` below `folder`. Throws Error (usage, `where`) when it is absolute, has a step "..", or leads out of the
/// folder through a link, and when there is no such file.
[[nodiscard]] std::filesystem::path inside(const std::filesystem::path& folder, const std::string& name,
                                           const std::string& where);

/// The same for a folder.
[[nodiscard]] std::filesystem::path folder_inside(const std::filesystem::path& folder, const std::string& name,
                                                  const std::string& where);

/// Digests of photos that can be decoded. That a content can be decoded is remembered beside the cache of digests, so a
/// photo is decoded once.
class PhotoReader {
 public:
  explicit PhotoReader(DigestCache& digests,
                       std::filesystem::path memory = DigestCache::default_file().replace_filename("photos.txt"));
  /// SHA-256 of the file. Throws Error when it cannot be decoded.
  [[nodiscard]] std::string read(const std::filesystem::path& photo);

 private:
  DigestCache& digests_;  // borrowed
  std::filesystem::path memory_;
  std::set<std::string> decodable_;
};

}  // namespace atelier
