#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

/// A path with fields in braces: "out/{concept}/{prompt}/{k:03}.png". `{name:0N}` is for numbers alone: at least N
/// digits, zeros before them. A brace by itself has no meaning and is refused.
class PathTemplate {
 public:
  /// Throws Error (usage) for braces that do not close, and for fields that are not among `fields`.
  PathTemplate(std::string_view text, const std::vector<std::string>& fields);

  [[nodiscard]] bool has(std::string_view field) const;
  /// Every field must have a value; a width is for values that are whole numbers.
  [[nodiscard]] std::string path(const std::map<std::string, std::string>& values) const;

 private:
  struct Part {
    std::string text;  // of the path itself, or a field's name
    bool field = false;
    std::size_t width = 0;
  };
  std::vector<Part> parts_;
};

/// What the path of somebody else's picture may name: concept, prompt (its id), seed, k.
[[nodiscard]] const std::vector<std::string>& picture_path_fields();

}  // namespace atelier
