#include "framework/core/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"

namespace atelier {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* action, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  throw Error({.where = path.string(),
               .found = fmt::format("cannot {}: {}", action, errno_text(error_number)),
               .expected = full ? "free space on this disk" : "a folder that can be written",
               .advice = full ? "nothing was changed; free some space and call again"
                              : "nothing was changed; look at the disk and the folder's permissions and call again"});
}

/// A finished file is renamed to its name, which would replace a device or a pipe.
void refuse_special(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return;
  throw Error({.where = path.string(),
               .found = S_ISDIR(status.st_mode) ? "a folder" : "a device or a pipe",
               .expected = "a file, or a name that is free",
               .advice = "nothing was changed; choose another name"});
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  refuse_special(target_);
  std::string name = (folder_of(target_) / fmt::format(".{}.XXXXXX", target_.filename().string())).string();
  file_ = FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_) fail(target_, "create a temporary file beside it", errno);
  temporary_ = name;
  ::fchmod(file_.get(), 0644);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 1u << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(target_, "write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  if (::fsync(file_.get()) != 0) fail(target_, "sync", errno);
  file_.reset();
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(target_, "rename the finished file to it", errno);
  temporary_.clear();
  const FileDescriptor folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
}

void write_file_atomically(const std::filesystem::path& target, std::string_view content) {
  AtomicFile file(target);
  file.write(content);
  file.commit();
}

std::string read_text_file(const std::filesystem::path& path, std::size_t limit) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  if (bytes.size() > limit) {
    throw Error({.where = path.string(),
                 .found = fmt::format("{} bytes", bytes.size()),
                 .expected = fmt::format("a text file of at most {} bytes", limit),
                 .advice = ""});
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace atelier
