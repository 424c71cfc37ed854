#include "framework/store/digest_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/file_descriptor.h"
#include "framework/store/checked_line.h"
#include "framework/store/names.h"
#include "framework/store/spool.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

struct stat status_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0) return status;
  throw Error({.where = file.string(), .found = errno_text(errno), .expected = "a readable file"});
}

bool settled(std::int64_t modified) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return modified < nanoseconds(now) - 2 * kSecond;
}

/// models--x--y/blobs/<sha256>: what large files of the hub are called (small ones have the 40 digits of git).
std::optional<std::string> digest_in_name(const fs::path& canonical) {
  const auto name = canonical.filename().string();
  const auto folder = canonical.parent_path();
  const bool hub =
      folder.filename() == "blobs" && folder.parent_path().filename().string().find("--") != std::string::npos;
  return hub && is_digest(name) ? std::optional(name) : std::nullopt;
}

}  // namespace

fs::path DigestCache::default_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value != nullptr ? value : "");
  };
  const auto cache = variable("XDG_CACHE_HOME");
  if (cache.is_absolute()) return cache / "atelier" / "digests.jsonl";
  const auto home = variable("HOME");
  return home.is_absolute() ? home / ".cache" / "atelier" / "digests.jsonl" : fs::path{};
}

DigestCache::DigestCache(fs::path file) : file_(std::move(file)) {
  if (fs::is_regular_file(file_)) load();
}

void DigestCache::load() try {
  static_cast<void>(read_spool(
      file_, 0,
      [this](const Json& line) {
        try {
          entries_[line.at("path").get<std::string>()] = {
              .size = line.at("size").get<std::int64_t>(),
              .modified = line.at("modified").get<std::int64_t>(),
              .sha256 = checked_digest(line.at("sha256").get<std::string>(), "sha256")};
        } catch (const Json::exception&) {
          return;  // a line of another version
        }
      },
      [](std::uint64_t, const std::string&) {}));
} catch (const Error&) {
  entries_.clear();  // a cache is only a help
}

std::string DigestCache::digest(const fs::path& file) {
  const auto canonical = fs::weakly_canonical(file);
  if (const auto named = digest_in_name(canonical)) return *named;
  const auto before = status_of(canonical);
  const Entry now{.size = before.st_size, .modified = nanoseconds(before.st_mtim), .sha256 = {}};
  const auto known = entries_.find(canonical.string());
  if (known != entries_.end() && known->second.size == now.size && known->second.modified == now.modified) {
    return known->second.sha256;
  }
  ++files_read_;
  auto sha256 = sha256_file(canonical);
  const auto after = status_of(canonical);
  const bool unchanged = after.st_size == now.size && nanoseconds(after.st_mtim) == now.modified;
  if (unchanged && settled(now.modified)) remember(canonical.string(), {now.size, now.modified, sha256});
  return sha256;
}

void DigestCache::remember(const std::string& path, const Entry& entry) {
  entries_[path] = entry;
  if (file_.empty()) return;
  std::error_code ignored;
  fs::create_directories(file_.parent_path(), ignored);
  const FileDescriptor opened(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!opened) return;
  // The newline in front keeps this line apart from one that a dying process tore.
  const auto line =
      "\n" +
      checked_line({{"path", path}, {"size", entry.size}, {"modified", entry.modified}, {"sha256", entry.sha256}});
  while (::write(opened.get(), line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace atelier
