#pragma once

#include "framework/store/database.h"
#include "framework/store/store.h"

namespace atelier {

/// Brings what the store gained since the last call into the index: manifests, key records (new ones, and those whose
/// `divergent` grew), the score tables behind them, new lines of the spools; what was removed from the store goes.
/// Damage is noted in the table `damage` and stops nothing. Inside the caller's transaction. Returns how many files and
/// lines were read.
std::size_t ingest(Database& database, const Store& store);

}  // namespace atelier
