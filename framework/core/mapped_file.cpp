#include "framework/core/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "framework/core/error.h"
#include "framework/core/file_descriptor.h"

namespace atelier {

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    const int reason = errno;
    throw Error({.where = path.string(),
                 .found = errno_text(reason),
                 .expected = "a readable file",
                 .advice = reason == EIO ? "look at the disk (`dmesg`) and call again" : ""});
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw Error({.where = path.string(), .found = errno_text(errno)});
  if (!S_ISREG(status.st_mode)) {
    throw Error({.where = path.string(), .found = "not a regular file", .expected = "a file"});
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (data == MAP_FAILED) {
      throw Error({.where = path.string(), .found = "cannot be mapped: " + errno_text(errno)});
    }
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data), size));
}

MappedFile::MappedFile(std::filesystem::path path, const std::byte* data, std::size_t size)
    : path_(std::move(path)), data_(data), size_(size) {}

MappedFile::~MappedFile() {
  if (size_ > 0) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace atelier
