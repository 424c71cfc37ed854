#pragma once

#include <set>
#include <string>
#include <vector>

#include "framework/store/store.h"

namespace atelier {

/// What was published from a store stays in it: pins/<manifest>.json names the keys of a study whose bundle was
/// exported, and those whose objects went with it. `gc` removes none of them, and none of these objects is released.
/// Remove the file to give them up.
struct Pin {
  std::string study, manifest;
  std::set<std::string> keys;  ///< records that stay
  std::set<std::string> held;  ///< of these, those whose objects are never released
};

/// Adds to what is pinned of the manifest. Throws Error when the store cannot be written.
void put_pin(const Store& store, const Pin& pin);
/// Throws Error for a pin that cannot be read: what it protects is then unknown.
[[nodiscard]] std::vector<Pin> read_pins(const Store& store);

}  // namespace atelier
