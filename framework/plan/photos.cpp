#include "framework/plan/photos.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "framework/store/names.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

bool promises_picture(const fs::path& file) {
  auto extension = file.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 4> kExtensions{".jpg", ".jpeg", ".png", ".webp"};
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

bool is_hidden(const std::string& name) { return name.starts_with('.') || name == "Thumbs.db"; }

/// Files that may lie beside the photos.
bool belongs(const std::string& name) {
  return name == "concept.yaml" || name == "config.json" || name.starts_with("LICENSE") || name.starts_with("README") ||
         name.starts_with("ATTRIBUTION");
}

bool is_below(const fs::path& folder, const fs::path& file) {
  const auto relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

bool is_picture(const fs::path& file) {
  std::array<char, 12> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  const std::string_view bytes(head.data(), head.size());
  return bytes.starts_with("\xFF\xD8\xFF") || bytes.starts_with("\x89PNG\r\n\x1A\n") ||
         (bytes.starts_with("RIFF") && bytes.substr(8) == "WEBP");
}

PhotoListing list_photos(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error({.where = folder.string(),
                 .found = fs::exists(folder) ? "a file" : "no such folder",
                 .expected = "a folder with photos"},
                ErrorKind::usage);
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) files.push_back(entry.path());
  }
  std::ranges::sort(files, {}, [](const fs::path& file) { return file.filename().string(); });
  PhotoListing listing;
  for (const auto& file : files) {
    const auto name = file.filename().string();
    if (is_hidden(name)) {
      listing.hidden.push_back(name);
    } else if (is_picture(file)) {
      listing.photos.push_back(file);
    } else if (promises_picture(file)) {
      listing.broken.push_back(name);
    } else if (!belongs(name)) {
      listing.odd.push_back(name);
    }
  }
  return listing;
}

namespace {

fs::path checked_inside(const fs::path& folder, const std::string& name, const std::string& where, bool wants_folder) {
  const fs::path relative(name);
  const bool steps_out = std::find(relative.begin(), relative.end(), "..") != relative.end();
  const std::string what = wants_folder ? "folder" : "file";
  const auto refuse = [&](const std::string& found) {
    throw Error({.where = where,
                 .found = found,
                 .expected = fmt::format("a {} inside {}", what, folder.string()),
                 .advice = fmt::format("copy the {} there", what)},
                ErrorKind::usage);
  };
  if (name.empty() || relative.is_absolute() || steps_out) refuse(fmt::format("the path \"{}\"", name));
  const auto path = folder / relative;
  const bool found = wants_folder ? fs::is_directory(path) : fs::is_regular_file(path);
  if (!found) refuse(fmt::format("no {} \"{}\"", what, name));
  if (!is_below(fs::canonical(folder), fs::canonical(path))) {
    refuse(fmt::format("\"{}\", a link to {}", name, fs::canonical(path).string()));
  }
  return path;
}

}  // namespace

fs::path inside(const fs::path& folder, const std::string& name, const std::string& where) {
  return checked_inside(folder, name, where, false);
}

fs::path folder_inside(const fs::path& folder, const std::string& name, const std::string& where) {
  return checked_inside(folder, name, where, true);
}

PhotoReader::PhotoReader(DigestCache& digests, fs::path memory) : digests_(digests), memory_(std::move(memory)) {
  if (memory_.parent_path().empty()) memory_.clear();  // there is no cache folder
  std::ifstream file(memory_);
  for (std::string line; std::getline(file, line);) {
    if (is_digest(line)) decodable_.insert(line);
  }
}

std::string PhotoReader::read(const fs::path& photo) {
  auto digest = digests_.digest(photo);
  if (decodable_.contains(digest)) return digest;
  static_cast<void>(decode_file(photo));
  decodable_.insert(digest);
  std::error_code ignored;
  if (memory_.empty()) return digest;
  fs::create_directories(memory_.parent_path(), ignored);
  std::ofstream(memory_, std::ios::app) << digest + "\n";  // one write; a reader skips what is no digest
  return digest;
}

}  // namespace atelier
