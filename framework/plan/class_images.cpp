#include <fmt/format.h>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/plan/concept.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestCaptions = std::size_t{1} << 24;  // bytes

[[noreturn]] void refuse_folder(const fs::path& where, std::string found, std::string expected,
                                std::string advice = {}) {
  throw Error({.where = where.string(),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = std::move(advice)},
              ErrorKind::usage);
}

/// One caption a line; a last line end closes the last caption.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    begin = end + 1;
  }
  return lines;
}

void add_captions(const fs::path& file, std::vector<ConceptPhoto>& images) {
  if (!fs::exists(file)) return;
  const auto lines = lines_of(read_text_file(file, kLongestCaptions));
  if (lines.size() != images.size()) {
    refuse_folder(file, fmt::format("{} captions", lines.size()),
                  fmt::format("{}, one for each picture", images.size()), "pictures count in the order of their names");
  }
  for (std::size_t i = 0; i < lines.size(); ++i) images[i].caption = lines[i];
}

}  // namespace

std::vector<ConceptPhoto> read_class_images(const fs::path& folder, PhotoReader& reader) {
  const auto listing = list_photos(folder);
  if (!listing.broken.empty()) {
    refuse_folder(folder / listing.broken.front(), "no JPEG, PNG or WebP inside", "a picture, as its name says",
                  "remove the file or get it again");
  }
  if (listing.photos.empty()) refuse_folder(folder, "no pictures", "images of the class (JPEG, PNG or WebP)");
  std::vector<ConceptPhoto> images;
  for (const auto& path : listing.photos) {
    const auto name = path.filename().string();
    images.push_back({.name = name,
                      .path = inside(folder, name, path.string()),
                      .sha256 = reader.read(path),
                      .caption = "",
                      .base_caption = ""});
  }
  add_captions(folder / "captions.txt", images);
  return images;
}

}  // namespace atelier
