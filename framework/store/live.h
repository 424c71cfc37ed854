#pragma once

#include <filesystem>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier {

/// What a process that does jobs is at, for who looks on: live/<owner>.json, replaced now and then, removed at the end.
/// Nothing is decided by it: what counts is in spools and keys.
class LiveFile {
 public:
  /// Removes the files of dead processes of this machine.
  explicit LiveFile(const Store& store);
  ~LiveFile();
  LiveFile(const LiveFile&) = delete;
  LiveFile& operator=(const LiveFile&) = delete;

  /// A disk that is full is no reason to stop: then the file stays as it was.
  void write(const Json& state) const;

 private:
  std::filesystem::path path_;
};

/// The states of processes that live; of those on other machines, which may.
[[nodiscard]] std::vector<Json> live_states(const Store& store);

}  // namespace atelier
