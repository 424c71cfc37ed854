#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/store/store.h"
#include "framework/store/verify.h"

namespace atelier {

/// What import_store() brought.
struct ImportReport {
  std::size_t keys = 0, objects = 0, manifests = 0, lines = 0;  ///< that were not here; lines: of spools
  std::uintmax_t bytes = 0;                                     ///< of objects
  std::size_t without_object = 0;      ///< keys whose content is not in the other store either (a bundle's): left out
  std::vector<std::string> divergent;  ///< keys that lead to other bytes here; both are kept
  std::vector<Damage> damages;         ///< places in the other store that were left out
};

/// Takes what another store published into this one: objects, keys, manifests and what its spools tell; nothing of it
/// is changed. Calling it again brings nothing. A key that leads to other bytes here keeps ours and the other as its
/// divergent content, and an event tells so. What is damaged over there is left out and reported.
/// Throws Error (usage) when both are the same folder.
ImportReport import_store(const Store& from, const Store& into);

}  // namespace atelier
