#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace atelier {

/// Programs as they were at submission: a build that is made anew while tasks wait changes nothing for them.
struct FrozenPrograms {
  std::filesystem::path folder;                ///< named by the digest of all that is in it: bin/, lib/, share/
  std::map<std::string, std::string> plugins;  ///< library that a manifest names -> its copy
};

/// Copies the running program, `worker`, the rooms' libraries, the product's data and `plugins` below `into`, unless
/// the same are there already: first to `partial`, a free name on the same disk. LibTorch stays where it is. Throws
/// Error.
[[nodiscard]] FrozenPrograms freeze_programs(const std::filesystem::path& into, const std::filesystem::path& partial,
                                             const std::filesystem::path& worker,
                                             const std::vector<std::string>& plugins);

}  // namespace atelier
