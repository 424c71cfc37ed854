#include "framework/store/publishing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "framework/core/error.h"

namespace atelier {
namespace {

constexpr mode_t kReadOnly = 0444;

void write_all(int file, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), std::min<std::size_t>(content.size(), 1u << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_in_store(path, "write", errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// A lock on a file that lost its name protects nothing: the next process would make and lock another.
bool still_named(int file, const std::filesystem::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(file, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

}  // namespace

void fail_in_store(const std::filesystem::path& path, std::string_view action, int error_number) {
  Fault fault{.where = path.string(), .found = fmt::format("cannot {}: {}", action, errno_text(error_number))};
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    fault.expected = "free space on the store's disk";
    fault.advice = "nothing that was published changed; free some space and call again";
  } else if (error_number == EACCES || error_number == EROFS || error_number == EPERM) {
    fault.expected = "a store you may write";
    fault.advice = "choose another with --store DIR or ATELIER_STORE";
  } else {
    fault.expected = "a disk that takes what is written";
    fault.advice = "nothing that was published changed; look at the disk (`dmesg`, `df`) and call again";
  }
  throw Error(std::move(fault));
}

Temporary::~Temporary() { ::unlink(path_.c_str()); }

void write_new_file(const std::filesystem::path& path, std::string_view content) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) fail_in_store(path, "create", errno);
  try {
    write_all(file.get(), content, path);
    if (::fsync(file.get()) != 0) fail_in_store(path, "sync", errno);
  } catch (const Error&) {
    ::unlink(path.c_str());
    throw;
  }
  ::fchmod(file.get(), kReadOnly);
}

void seal_file(const std::filesystem::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) fail_in_store(path, "open the finished file", errno);
  if (::fsync(file.get()) != 0) fail_in_store(path, "sync", errno);
  ::fchmod(file.get(), kReadOnly);
}

bool link_new(const std::filesystem::path& temporary, const std::filesystem::path& published) {
  if (::link(temporary.c_str(), published.c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  fail_in_store(published, "link the finished file to it", errno);
}

void replace(const std::filesystem::path& temporary, const std::filesystem::path& published) {
  if (::rename(temporary.c_str(), published.c_str()) != 0) {
    fail_in_store(published, "rename the finished file to it", errno);
  }
}

void make_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0777) == 0) return sync_folder(folder.parent_path());
  if (errno != EEXIST) fail_in_store(folder, "make this folder", errno);
}

void sync_folder(const std::filesystem::path& folder) {
  const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened && errno == EACCES) return;  // may be written and not read
  if (!opened) fail_in_store(folder, "open this folder", errno);
  if (::fsync(opened.get()) != 0 && errno != EINVAL && errno != ENOTSUP) fail_in_store(folder, "sync", errno);
}

FileDescriptor lock_file(const std::filesystem::path& path, bool wait, LockMode mode) {
  const int operation = (mode == LockMode::shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
  while (true) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!file) fail_in_store(path, "open this lock", errno);
    while (::flock(file.get(), operation) != 0) {
      if (errno == EWOULDBLOCK) return {};
      if (errno != EINTR) fail_in_store(path, "take this lock", errno);
    }
    if (still_named(file.get(), path)) return file;
  }
}

}  // namespace atelier
