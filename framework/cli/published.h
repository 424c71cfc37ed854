#pragma once

#include <string>
#include <vector>

namespace atelier::reports {
struct PublishedTable;
}

namespace atelier::cli {

/// What `--published` names: the id of a table of the product's data, or a file of the same form with any number of
/// tables. Throws Error (usage) for an unknown id, with the nearest, and for a file that is not of that form.
[[nodiscard]] std::vector<reports::PublishedTable> read_published(const std::vector<std::string>& names);

}  // namespace atelier::cli
