#undef _FORTIFY_SOURCE  // its wrappers would go round the functions below

#include "tests/support/disk_faults/disk_faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace disk_faults {
namespace {

constexpr std::size_t kLongest = 4096;

// Plain globals: these are read before constructors have run, and by every thread.
std::atomic<bool> armed{false};
std::atomic<long> calls{0};
std::array<char, kLongest> folder{};
long fatal_call = 0;
int fatal_error = 0;
Kind kind = Kind::once;

enum class Needs { nothing, space };  // of the disk; where nothing, it cannot be too full or read-only
enum class Verdict { pass, fail, half };

bool below_folder(const char* path) {
  const std::size_t length = std::strlen(folder.data());
  return std::strncmp(path, folder.data(), length) == 0 && (path[length] == '/' || path[length] == '\0');
}

bool below_folder(int file) {
  std::array<char, 64> link{};
  std::array<char, kLongest> path{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
  const ssize_t length = ::readlink(link.data(), path.data(), path.size() - 1);
  return length > 0 && below_folder(path.data());
}

/// What becomes of a call on a path or an open file. errno is set when it fails.
template <class Place>
Verdict judge(Place place, Needs needs, bool writes = false) {
  if (!armed) return Verdict::pass;
  const int before = errno;
  const bool counts = below_folder(place);
  errno = before;
  if (!counts) return Verdict::pass;
  const long call = ++calls;
  const bool fails = kind == Kind::lasting ? call >= fatal_call : call == fatal_call;
  if (!fails || (needs == Needs::nothing && fatal_error != EIO)) return Verdict::pass;
  if (kind == Kind::short_write) return writes ? Verdict::half : Verdict::pass;
  errno = fatal_error;
  return Verdict::fail;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::size_t half_of(std::size_t bytes) { return bytes > 1 ? bytes / 2 : bytes; }

/// A whole program's plan, from its environment.
[[gnu::constructor]] void arm_from_environment() {
  const char* text = std::getenv("ATELIER_DISK_FAULTS");
  if (text == nullptr) return;
  static std::array<char, kLongest> place{};
  int chosen = 0, error = 0;
  long call = 0;
  if (std::sscanf(text, "%d %ld %d %4000s", &chosen, &call, &error, place.data()) != 4) std::abort();
  arm({.folder = place.data(), .call = call, .error = error, .kind = static_cast<Kind>(chosen)});
}

/// Nothing, then there, then back.
long clock_jump() {
  static const char* const text = std::getenv("ATELIER_CLOCK_JUMPS");
  static std::atomic<long> looks{0};
  return text == nullptr ? 0 : (looks++ % 3 - 1) * std::atol(text);
}

/// While armed, below the folder, a sync costs nothing: these tests cut no power.
int synced(int (*real)(int), int file) { return armed && below_folder(file) ? 0 : real(file); }

int open_with(int (*real)(const char*, int, ...), const char* path, int flags, mode_t mode) {
  const bool makes = (flags & O_CREAT) != 0 && ::access(path, F_OK) != 0;
  const bool writes = (flags & (O_WRONLY | O_RDWR)) != 0 && fatal_error == EROFS;
  if (judge(path, makes || writes ? Needs::space : Needs::nothing) == Verdict::fail) return -1;
  return real(path, flags, mode);
}

}  // namespace

void arm(const Plan& plan) {
  std::snprintf(folder.data(), folder.size(), "%s", plan.folder);
  fatal_call = plan.call;
  fatal_error = plan.error;
  kind = plan.kind;
  calls = 0;
  armed = true;
}

long disarm() {
  armed = false;
  return calls;
}

}  // namespace disk_faults

using namespace disk_faults;

extern "C" {

int open(const char* path, int flags, ...) {
  static const auto real = next<decltype(::open)>("open");
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_with(real, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  static const auto real = next<decltype(::open)>("open64");
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_with(real, path, flags, mode);
}

int mkostemp(char* name, int flags) {
  static const auto real = next<decltype(::mkostemp)>("mkostemp");
  return judge(static_cast<const char*>(name), Needs::space) == Verdict::fail ? -1 : real(name, flags);
}

ssize_t write(int file, const void* bytes, std::size_t count) {
  static const auto real = next<decltype(::write)>("write");
  const Verdict verdict = judge(file, Needs::space, true);
  if (verdict == Verdict::fail) return -1;
  return real(file, bytes, verdict == Verdict::half ? half_of(count) : count);
}

ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t offset) {
  static const auto real = next<decltype(::pwrite)>("pwrite");
  const Verdict verdict = judge(file, Needs::space, true);
  if (verdict == Verdict::fail) return -1;
  return real(file, bytes, verdict == Verdict::half ? half_of(count) : count, offset);
}

ssize_t pwrite64(int file, const void* bytes, std::size_t count, off64_t offset) {
  static const auto real = next<decltype(::pwrite)>("pwrite64");
  const Verdict verdict = judge(file, Needs::space, true);
  if (verdict == Verdict::fail) return -1;
  return real(file, bytes, verdict == Verdict::half ? half_of(count) : count, offset);
}

int fsync(int file) {
  static const auto real = next<decltype(::fsync)>("fsync");
  return judge(file, Needs::space) == Verdict::fail ? -1 : synced(real, file);
}

int fdatasync(int file) {
  static const auto real = next<decltype(::fdatasync)>("fdatasync");
  return judge(file, Needs::space) == Verdict::fail ? -1 : synced(real, file);
}

int ftruncate(int file, off_t length) noexcept {
  static const auto real = next<decltype(::ftruncate)>("ftruncate");
  return judge(file, Needs::space) == Verdict::fail ? -1 : real(file, length);
}

int ftruncate64(int file, off64_t length) noexcept {
  static const auto real = next<decltype(::ftruncate)>("ftruncate64");
  return judge(file, Needs::space) == Verdict::fail ? -1 : real(file, length);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<decltype(::rename)>("rename");
  return judge(to, Needs::space) == Verdict::fail ? -1 : real(from, to);
}

int link(const char* from, const char* to) noexcept {
  static const auto real = next<decltype(::link)>("link");
  return judge(to, Needs::space) == Verdict::fail ? -1 : real(from, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<decltype(::mkdir)>("mkdir");
  if (armed && ::access(path, F_OK) == 0) return real(path, mode);  // EEXIST, on any disk
  return judge(path, Needs::space) == Verdict::fail ? -1 : real(path, mode);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto real = next<decltype(::clock_gettime)>("clock_gettime");
  const int result = real(clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += clock_jump();
  return result;
}

std::time_t time(std::time_t* into) noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (into != nullptr) *into = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
