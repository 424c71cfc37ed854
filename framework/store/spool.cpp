#include "framework/store/spool.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/store/checked_line.h"
#include "framework/store/names.h"
#include "framework/store/publishing.h"

namespace atelier {
namespace {

constexpr std::size_t kChunk = 1u << 20;

/// "2026-01-31T23:59:59.123Z"
std::string utc_now() {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto milliseconds = now.time_since_epoch().count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(milliseconds / 1000)),
                     milliseconds % 1000);
}

/// Appends the next bytes of the file to `text`; 0 at its end.
std::size_t read_more(int file, std::uint64_t offset, std::string& text, const std::filesystem::path& path) {
  const std::size_t before = text.size();
  text.resize(before + kChunk);
  ssize_t got = -1;
  do {
    got = ::pread(file, text.data() + before, kChunk, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw Error({.where = path.string(), .found = "cannot be read: " + errno_text(errno)});
  text.resize(before + static_cast<std::size_t>(got));
  return static_cast<std::size_t>(got);
}

}  // namespace

Spool::Spool(const Store& store) : name_(random_uuid()), path_(store.spool_folder() / (name_ + ".jsonl")) {
  file_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
  if (!file_) fail_in_store(path_, "create", errno);
  sync_folder(store.spool_folder());
}

void Spool::write(Json event, bool durable) {
  event["at"] = utc_now();
  event["spool"] = name_;
  event["n"] = lines_;
  // A write that the disk cut short left half a line; the newline keeps this one apart from it.
  const std::string line = (torn_ ? "\n" : "") + checked_line(event);
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      torn_ = torn_ || rest.size() < line.size();
      fail_in_store(path_, "append an event", errno);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  torn_ = false;
  ++lines_;
  if (durable && ::fsync(file_.get()) != 0) fail_in_store(path_, "sync", errno);
}

std::uint64_t read_spool(const std::filesystem::path& path, std::uint64_t offset,
                         const std::function<void(const Json& event)>& event,
                         const std::function<void(std::uint64_t offset, const std::string& why)>& damaged) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    throw Error({.where = path.string(),
                 .found = errno_text(errno),
                 .expected = "a readable spool",
                 .advice = "look at the disk and the file's permissions and call again"});
  }
  std::string text;
  while (read_more(file.get(), offset + text.size(), text, path) > 0) {
    std::size_t start = 0;
    for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
      if (end == start) continue;  // what keeps a whole line apart from a torn one
      Json parsed;
      try {
        parsed = parse_checked_line(std::string_view(text).substr(start, end - start), path.string());
      } catch (const Error& error) {
        damaged(offset + start, error.fault().found);
        continue;
      }
      event(parsed);
    }
    offset += start;
    text.erase(0, start);
  }
  return offset;
}

}  // namespace atelier
