#pragma once

#include <set>
#include <string>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier::cli {

/// Where a key's content came from: {"title", "key", "object", "made": {at, seconds, host, device, dtype, threads,
/// torch, build, attempt}, "runs": ["study/run"], "parts": {words: value}, "from": [the same of what it was made of]}.
/// What `told` names already stands without its parts. Throws Error (usage) when the key is not in the store.
[[nodiscard]] Json origin_of(const Store& store, Index& index, const std::string& key, std::set<std::string>& told);

/// The same as lines.
void print_origin(const Json& origin, std::size_t indent = 0);

}  // namespace atelier::cli
