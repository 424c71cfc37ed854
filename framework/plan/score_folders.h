#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace atelier {

/// A tree of pictures of any origin: `<concept>/…/*.png|jpg|jpeg`, names in byte order. What else lies there is ignored
/// and noted.
class PictureTree {
 public:
  /// `option` names the tree in errors: "--generated".
  PictureTree(std::string option, std::filesystem::path root) : option_(std::move(option)), root_(std::move(root)) {}

  /// Names of the pictures in the folder `below` ("cat2/moon"). Throws Error (usage) when the folder is not there or
  /// has none.
  [[nodiscard]] std::vector<std::string> pictures(const std::string& below);
  /// Notes what else than folders of these names lies in `below` ("": the root).
  void expect_only(const std::string& below, const std::set<std::string>& names);

  /// One line for each folder with something ignored.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  [[nodiscard]] std::filesystem::path path(const std::string& below) const { return root_ / below; }

 private:
  void ignore(const std::string& below, const std::vector<std::string>& names);

  std::string option_;
  std::filesystem::path root_;
  std::vector<std::string> warnings_;
};

/// The companion of `picture` ("cat2/moon/000.jpg") in a tree of masks or of pictures without background: the same path
/// with the suffix .png. `side` is "generated" or "references". Throws Error (usage) when it is not there.
[[nodiscard]] std::filesystem::path companion(const std::string& option, const std::filesystem::path& root,
                                              const std::string& side, const std::string& picture);

}  // namespace atelier
