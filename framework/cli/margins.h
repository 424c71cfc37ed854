#pragma once

#include <map>
#include <string>
#include <vector>

namespace atelier::cli {

/// "clip_i=0.02" of every `--margin`. Throws Error (usage) for what is no name with a number above 0, and for a name
/// that comes twice.
[[nodiscard]] std::map<std::string, double> read_margins(const std::vector<std::string>& texts);

}  // namespace atelier::cli
