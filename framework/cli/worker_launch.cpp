#include "framework/cli/worker_launch.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/cli/prompts.h"
#include "framework/core/error.h"
#include "framework/core/file_descriptor.h"
#include "framework/plan/data_folder.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

/// The option that gives a key of the job.
std::string option_of(std::string key) {
  static const std::map<std::string, std::string> others{
      {"prompts", "--prompt"}, {"artifacts", "--artifact"}, {"scheduler_set", "--set"}};
  if (const auto other = others.find(key); other != others.end()) return other->second;
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

void require_utf8(const std::string& option, const std::string& text) {
  const std::size_t bad = find_invalid_utf8(text);
  if (bad == std::string::npos) return;
  throw Error({.where = option,
               .found = fmt::format("byte 0x{:02x} at offset {}", static_cast<unsigned char>(text[bad]), bad),
               .expected = "UTF-8"},
              ErrorKind::usage);
}

void require_utf8(const std::string& option, const Json& value) {
  if (value.is_string()) require_utf8(option, value.get_ref<const std::string&>());
  if (!value.is_structured()) return;
  for (const auto& [key, item] : value.items()) {
    require_utf8(option, key);
    require_utf8(option, item);
  }
}

std::string encode(const Json& job) {
  for (const auto& [key, value] : job.items()) require_utf8(option_of(key), value);
  return job.dump();
}

/// Stays open across execv (no MFD_CLOEXEC).
FileDescriptor file_in_memory(const std::string& content) {
  FileDescriptor file(::memfd_create("atelier-job", 0));
  if (!file) throw Error({.where = "memfd_create", .found = errno_text(errno)});
  for (std::size_t written = 0; written < content.size();) {
    const ssize_t count = ::write(file.get(), content.data() + written, content.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      throw Error({.where = "job", .found = errno_text(errno), .expected = "room for a few bytes in memory"});
    written += static_cast<std::size_t>(count);
  }
  return file;
}

}  // namespace

fs::path worker_path() {
  const char* chosen = std::getenv("ATELIER_WORKER");
  return chosen != nullptr && *chosen != '\0' ? fs::path(chosen) : program_folder() / "atelier-worker";
}

void launch_worker(const Json& job) {
  const FileDescriptor file = file_in_memory(encode(job));
  std::string worker = worker_path().string();
  std::string name = "atelier-worker";
  std::string option = "--job";
  std::string path = fmt::format("/proc/self/fd/{}", file.get());
  const std::array<char*, 4> arguments = {name.data(), option.data(), path.data(), nullptr};
  ::execv(worker.c_str(), arguments.data());
  throw Error({.where = worker,
               .found = errno_text(errno),
               .expected = "the program that computes, beside 'atelier'",
               .advice = "run 'make build', or name it in ATELIER_WORKER"});
}

}  // namespace atelier::cli
