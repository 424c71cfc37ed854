#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

/// The candidate with the smallest edit distance to `word`, or "" when none is near (more than a third of the letters).
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "a, b, c", cut after `limit` items with "… and N more".
[[nodiscard]] std::string join(std::span<const std::string> items, std::string_view separator = ", ",
                               std::size_t limit = static_cast<std::size_t>(-1));

}  // namespace atelier
