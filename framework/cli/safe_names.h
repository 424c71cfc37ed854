#pragma once

#include <map>
#include <set>
#include <string>

namespace atelier::cli {

/// Names of any origin as steps of a path, each its own. Letters, digits and "-_=.+" stay, the rest becomes '_'; at
/// most 100 characters. A short digest of the text stands behind a name that was shortened, and behind one whose
/// replaced signs make it read like another's. A text's name depends on nothing but `texts`.
[[nodiscard]] std::map<std::string, std::string> safe_names(const std::set<std::string>& texts);

}  // namespace atelier::cli
