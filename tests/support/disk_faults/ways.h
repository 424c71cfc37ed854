#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "framework/core/error.h"
#include "tests/support/disk_faults/disk_faults.h"

namespace disk_faults {

/// How a disk fails.
struct Way {
  Kind kind;
  int error;
};

inline constexpr std::array kWays{Way{Kind::once, EIO},       Way{Kind::lasting, EIO},   Way{Kind::once, ENOSPC},
                                  Way{Kind::lasting, ENOSPC}, Way{Kind::lasting, EROFS}, Way{Kind::short_write, 0}};

/// What became of the work.
struct Tried {
  long calls = 0;  ///< that it made of the disk; fewer than the one that was to fail: it was through before
  bool failed = false;
};

/// Does `work` on a disk whose n-th call fails this way, below `folder`. An Error must say all that a user needs.
template <class Work>
Tried try_work(const Way& way, long call, const std::string& folder, const Work& work) {
  INFO("kind " << static_cast<int>(way.kind) << ", errno " << way.error << ", call " << call);
  Tried tried;
  arm({.folder = folder.c_str(), .call = call, .error = way.error, .kind = way.kind});
  try {
    work();
    tried.calls = disarm();
  } catch (const atelier::Error& error) {
    tried.calls = disarm();
    tried.failed = true;
    INFO(error.what());
    CHECK_FALSE(error.fault().where.empty());
    CHECK_FALSE(error.fault().found.empty());
    CHECK_FALSE(error.fault().expected.empty());
    CHECK_FALSE(error.fault().advice.empty());
  }
  if (way.kind == Kind::short_write) CHECK_FALSE(tried.failed);
  return tried;
}

}  // namespace disk_faults
