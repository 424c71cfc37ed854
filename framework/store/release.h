#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "framework/store/store.h"

namespace atelier {

/// Gives up the objects of keys whose results are no longer needed (`keep:` of a study). The keys stay published, with
/// all that their records say; released/<key> tells that the object was removed on purpose and is no damage. Who needs
/// it again makes it again (Store::publish takes the mark away).
class Releaser {
 public:
  /// Borrows the store.
  explicit Releaser(const Store& store) : store_(store) {}

  /// Releases those of `keys` that are published and held, and removes their objects unless another key that is not
  /// released leads to them. `still_free` is asked for each when nobody can publish or begin a study any more: what it
  /// refuses stays. Returns the bytes removed. Throws Error when the store cannot be written.
  std::uintmax_t release(const std::set<std::string>& keys,
                         const std::function<bool(const std::string& key)>& still_free);

 private:
  void read_new_records();
  [[nodiscard]] bool needed(const std::string& object) const;

  const Store& store_;
  std::map<std::string, std::string> objects_;             // of keys that were read
  std::map<std::string, std::vector<std::string>> users_;  // object -> keys
};

}  // namespace atelier
