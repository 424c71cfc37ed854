#pragma once

#include "framework/files/pickle_tree.h"

namespace atelier {

/// What REDUCE and NEWOBJ make of a global and its arguments. The few globals that torch.save needs are handled here;
/// every other one gives an opaque node. Nothing is ever imported or run.
[[nodiscard]] PickleNodeId call_pickle_global(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                                              const PickleSite& site);

/// What BINPERSID makes of ('storage', class, key, location, numel[, view]).
[[nodiscard]] PickleNodeId load_persistent_id(PickleTree& tree, PickleNodeId id, const PickleSite& site);

}  // namespace atelier
