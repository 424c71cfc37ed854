#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/store/store.h"

namespace atelier {

struct RemovedFile {
  std::string path;  ///< under the store's root
  std::uintmax_t bytes = 0;
  /// Of an object that its record still names, and of a record: train, sample, score …; else object (no key leads to
  /// it), lock, snapshot, preview, temporary, mark.
  std::string kind;
};
/// An object that stays.
struct KeptObject {
  std::string path, kind;
  std::uintmax_t bytes = 0;
  std::string reason;  ///< "study demo", "pinned by a bundle of demo", …
};
struct GcReport {
  std::vector<RemovedFile> removed;  ///< in the order of removal
  std::uintmax_t bytes = 0;
  std::vector<KeptObject> kept;  ///< the ten largest, the largest first
};

/// Removes what no study needs: keys that no manifest and no pin names (nor what these keys were made from), then
/// objects that no remaining key leads to, or that were released, snapshots of work that is published or that no
/// manifest names, previews of such, and temporaries that dead processes left. Whoever wants a study's results gone
/// removes its file in manifests/ first. Spools stay. With `dry_run` nothing is removed or locked; the report says what
/// would be.
///
/// Throws Error, and removes nothing, while another process holds the lock of a key or of use, and when a manifest, a
/// pin or the record of a key that is needed cannot be read: what it leads to is then unknown.
GcReport collect_garbage(const Store& store, bool dry_run);

}  // namespace atelier
