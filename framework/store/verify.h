#pragma once

#include <string>
#include <vector>

#include "framework/store/store.h"

namespace atelier {

/// Something in the store that is not as it was written.
struct Damage {
  std::string place;   ///< the file under the store's root, and the byte where that is known
  std::string found;   ///< what is wrong with it
  std::string advice;  ///< what to do about it
};

/// Reads every file that the store has published and compares it with its digest or checksum: store.json, objects,
/// key records (and what they lead to), manifests, spools. Any changed byte is found. In the order of the places.
/// What belongs to work in progress (snapshots, temporaries, locks) and the index, which can be made anew, is left out.
/// May run beside writers. Throws Error when a folder of the store cannot be read.
[[nodiscard]] std::vector<Damage> verify(const Store& store);

}  // namespace atelier
