#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/config/method_spec.h"
#include "framework/store/digest_cache.h"

namespace atelier {

/// A method as its description file beside the library tells it; the library is not loaded.
struct PluginDescription {
  std::filesystem::path library;
  std::string build;  ///< SHA-256 of the library
  std::string torch, compiler;
  MethodSpec method;
};

/// A description that cannot be used, and why: one line with what to do.
struct PluginProblem {
  std::string name;
  std::string text;
};

/// $ATELIER_PLUGINS (colon separated), then <program folder>/../lib/atelier/plugins.
[[nodiscard]] std::vector<std::filesystem::path> plugin_search_path();

/// The methods of a search path; of two with one name the first counts. Digests of libraries come from the cache, so a
/// look at many plugins reads none of them twice.
class PluginCatalog {
 public:
  explicit PluginCatalog(DigestCache& digests, std::vector<std::filesystem::path> folders = plugin_search_path());

  /// Throws Error (usage) when there is none of this name (with the nearest one), when its description was written for
  /// another plugin API, or when the library is not the one that was described.
  [[nodiscard]] const PluginDescription& find(const std::string& name) const;
  [[nodiscard]] const std::vector<PluginDescription>& all() const { return plugins_; }
  [[nodiscard]] const std::vector<PluginProblem>& problems() const { return problems_; }

 private:
  void add(const std::filesystem::path& description, DigestCache& digests);
  std::vector<std::filesystem::path> folders_;
  std::vector<PluginDescription> plugins_;  // by name
  std::vector<PluginProblem> problems_;
};

}  // namespace atelier
