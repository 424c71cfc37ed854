#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "framework/core/file_descriptor.h"

namespace atelier {

/// The steps of putting a file into the store. Between any two of them the process may be killed: what a reader finds
/// under a published name is whole, and what is left over lies in the store's tmp folder.

/// Throws Error for a failed step: names the file, the system's reason, and for a full disk or a folder that may not be
/// written what to do.
[[noreturn]] void fail_in_store(const std::filesystem::path& path, std::string_view action, int error_number);

/// A file that is gone when this object is, unless it was renamed meanwhile.
class Temporary {
 public:
  explicit Temporary(std::filesystem::path path) : path_(std::move(path)) {}
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Writes a new file of that name, syncs it and makes it read-only.
void write_new_file(const std::filesystem::path& path, std::string_view content);
/// Syncs a finished file of somebody else's and makes it read-only.
void seal_file(const std::filesystem::path& path);
/// Gives the file `temporary` the name `published` as well, unless that name is taken; then false. Removes nothing.
[[nodiscard]] bool link_new(const std::filesystem::path& temporary, const std::filesystem::path& published);
/// Renames over what is there.
void replace(const std::filesystem::path& temporary, const std::filesystem::path& published);
/// Makes the folder if it is missing; its name is synced into its parent.
void make_folder(const std::filesystem::path& folder);
/// So that the names made in it survive a power cut. File systems that cannot are let be; one that fails is an Error:
/// the names are there, but nobody may count on them yet.
void sync_folder(const std::filesystem::path& folder);

enum class LockMode { exclusive, shared };
/// Waits for a lock on the file, which is made when it is missing, and again when another process removed it meanwhile.
/// Empty with `wait == false` when somebody else holds it.
[[nodiscard]] FileDescriptor lock_file(const std::filesystem::path& path, bool wait,
                                       LockMode mode = LockMode::exclusive);

}  // namespace atelier
