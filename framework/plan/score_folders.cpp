#include "framework/plan/score_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kSuffixes{".png", ".jpg", ".jpeg"};
constexpr std::size_t kNamedIgnored = 8;

/// Names in byte order. Throws Error when the folder cannot be read.
std::vector<std::string> names_in(const std::string& option, const fs::path& folder) {
  std::error_code failed;
  std::vector<std::string> names;
  for (fs::directory_iterator at(folder, failed); !failed && at != fs::directory_iterator(); at.increment(failed)) {
    names.push_back(at->path().filename().string());
  }
  if (failed) {
    throw Error(
        {.where = option + " " + folder.string(), .found = failed.message(), .expected = "a folder of pictures"},
        ErrorKind::usage);
  }
  std::ranges::sort(names);
  return names;
}

bool has_picture_suffix(const std::string& name) {
  const auto suffix = fs::path(name).extension();
  return std::ranges::any_of(kSuffixes, [&](const char* known) { return suffix == known; });
}

}  // namespace

std::vector<std::string> PictureTree::pictures(const std::string& below) {
  std::vector<std::string> found, others;
  for (const auto& name : names_in(option_, path(below))) {
    std::error_code ignored;
    const bool is_picture = has_picture_suffix(name) && fs::is_regular_file(path(below) / name, ignored);
    (is_picture ? found : others).push_back(name);
  }
  ignore(below, others);
  if (!found.empty()) return found;
  throw Error({.where = option_ + " " + path(below).string(),
               .found = "no picture",
               .expected = "at least one .png, .jpg or .jpeg"},
              ErrorKind::usage);
}

void PictureTree::expect_only(const std::string& below, const std::set<std::string>& names) {
  std::vector<std::string> others;
  for (const auto& name : names_in(option_, path(below))) {
    if (!names.contains(name)) others.push_back(name);
  }
  ignore(below, others);
}

void PictureTree::ignore(const std::string& below, const std::vector<std::string>& names) {
  if (names.empty()) return;
  warnings_.push_back(
      fmt::format("{} {}: ignored {}", option_, path(below).string(), join(names, ", ", kNamedIgnored)));
}

fs::path companion(const std::string& option, const fs::path& root, const std::string& side,
                   const std::string& picture) {
  const fs::path path = (root / side / picture).replace_extension(".png");
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  throw Error({.where = option + " " + path.string(),
               .found = "no such file",
               .expected = fmt::format("one for {}/{}", side, picture)},
              ErrorKind::usage);
}

}  // namespace atelier
