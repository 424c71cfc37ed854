#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "framework/core/file_descriptor.h"
#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier {

/// One process's own append-only record: spool/<uuid>.jsonl, each line an object with a checksum. A torn last line is
/// left alone by readers and reported.
class Spool {
 public:
  explicit Spool(const Store& store);

  /// Appends one event; adds `at` (UTC, milliseconds), `spool` and `n` (line number). No sync unless
  /// `durable`. For one thread at a time. Throws Error on a full disk; the next line is kept apart from the torn one.
  void write(Json event, bool durable = false);
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::filesystem::path path_;
  FileDescriptor file_;
  std::int64_t lines_ = 0;
  bool torn_ = false;  // the last write stopped inside a line
};

/// The lines of one spool file from `offset` on. Returns the offset behind the last whole line. Damaged lines
/// (checksum, not JSON) go to `damaged` with their offset; a line without its newline is not read.
std::uint64_t read_spool(const std::filesystem::path& path, std::uint64_t offset,
                         const std::function<void(const Json& event)>& event,
                         const std::function<void(std::uint64_t offset, const std::string& why)>& damaged);

}  // namespace atelier
