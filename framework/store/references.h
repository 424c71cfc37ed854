#pragma once

#include <set>
#include <string>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier {

/// Every digest that stands anywhere in `json`, as a value or as a name.
void collect_digests(const Json& json, std::set<std::string>& digests);

/// The objects that a key's record leads to: its own, the divergent ones, and the losses that its summary names; those
/// not that the summary calls removed. Whether its own is held, Store::released() says.
[[nodiscard]] std::set<std::string> objects_of(const KeyRecord& record);

}  // namespace atelier
