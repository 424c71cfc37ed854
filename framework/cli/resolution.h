#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier::cli {

/// What a planned comparison can tell apart: the difference that it finds with 80 % power at p < 0.05 (evaluation.md
/// 8.3). One object for each column of each table that compares: table, compare_to, column, concepts, `deviation` (two
/// numbers, of the paired difference over concepts; null: not known), `from` ("measured": the store's scores of this
/// study; "published": 30 DreamBooth subjects), `difference` (of each deviation; of 1 where none is known).
[[nodiscard]] Json planned_resolution(const Json& manifest, const std::optional<Store>& store);
/// A line for each table.
[[nodiscard]] std::vector<std::string> resolution_lines(const Json& resolution);

}  // namespace atelier::cli
