#pragma once

#include <cerrno>

/// A disk that fails when it is told to. A shared library that stands before the C library: a test program links it, or
/// a whole program is started with LD_PRELOAD. Until it is armed every call passes.
///
/// For a whole program: ATELIER_DISK_FAULTS="<kind> <call> <errno> <folder>", kind being the number of a Kind; and
/// ATELIER_CLOCK_JUMPS="<seconds>", by which the wall clock jumps back or forth at every look at it.
namespace disk_faults {

enum class Kind {
  once,        ///< the call fails, the next ones pass
  lasting,     ///< the call and all later ones fail
  short_write  ///< the call, if it is a write, takes half of the bytes and says so, which is no error
};

struct Plan {
  const char* folder;  ///< calls on files below it count: an absolute path without "..", at most 4000 bytes
  long call;           ///< the first is 1
  int error = EIO;
  Kind kind = Kind::once;
};

/// Counts from now on. With an error other than EIO (a full disk, a read-only one) opening for reading always works.
/// Counted are open (also for reading), mkstemp, write, pwrite, fsync, fdatasync, ftruncate, rename, link and mkdir.
void arm(const Plan& plan);
/// Lets everything pass again. Returns how many calls there were.
long disarm();

}  // namespace disk_faults
