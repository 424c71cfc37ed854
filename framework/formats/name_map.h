#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace atelier {

/// A one-to-one map between the names of modules in two layouts; what stands below a module ("….weight") keeps its
/// name. A more specific pair wins over a general one.
class NameMap {
 public:
  /// Asserts nothing about order; a name may be paired once on each side.
  void pair(const std::string& ldm, const std::string& diffusers);

  /// The tensor's name in the other layout, or nothing when no module on the way to it is known.
  [[nodiscard]] std::optional<std::string> to_diffusers(std::string_view ldm) const;
  [[nodiscard]] std::optional<std::string> to_ldm(std::string_view diffusers) const;

 private:
  using Names = std::unordered_map<std::string, std::string>;
  static std::optional<std::string> translate(const Names& names, std::string_view name);

  Names to_diffusers_;
  Names to_ldm_;
};

}  // namespace atelier
