#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/file_descriptor.h"
#include "framework/core/json.h"
#include "framework/store/publishing.h"

namespace atelier {

/// What a key leads to: keys/<key>.json.
struct KeyRecord {
  std::string key;     ///< SHA-256 of the canonical description
  Json description;    ///< everything that was hashed
  std::string object;  ///< digest of the artifact
  Json summary;        ///< small facts about it that tables need without opening it (rows, bytes, seconds)
  std::vector<std::string> divergent;  ///< digests of other contents that came out under the same key
};

/// A lock that the kernel releases when its owner dies.
class KeyLock {
 public:
  KeyLock(FileDescriptor file, FileDescriptor use) : use_(std::move(use)), file_(std::move(file)) {}

 private:
  FileDescriptor use_, file_;
};

/// The folder in which everything is kept: `objects/` by digest, `keys/`, `spool/`, `snapshots/`, `manifests/` (design
/// 9). Files are written to a temporary name, synced and linked; nothing that is published ever changes.
class Store {
 public:
  /// --store, else ATELIER_STORE, else ".atelier" in the working folder.
  [[nodiscard]] static std::filesystem::path default_root();
  /// Makes the folder where it is missing. Throws Error when it is not a store of this version or cannot be written.
  [[nodiscard]] static Store create_or_open(const std::filesystem::path& root);
  /// For reading only: throws Error (with what to do) when there is no store.
  [[nodiscard]] static Store open(const std::filesystem::path& root);

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  /// A random id made with the store: names its index in the user's state folder.
  [[nodiscard]] const std::string& id() const { return id_; }

  // Objects: content by SHA-256.
  [[nodiscard]] std::filesystem::path object_path(std::string_view digest) const;
  [[nodiscard]] bool has_object(std::string_view digest) const;
  /// A name in the store's own temporary folder (same file system) for a writer that fills it before adopt().
  [[nodiscard]] std::filesystem::path temporary_path() const;
  /// Takes a finished file in: returns its digest. The file is gone afterwards, whatever happens.
  [[nodiscard]] std::string adopt(const std::filesystem::path& finished) const;
  [[nodiscard]] std::string put(std::string_view content) const;

  // Keys.
  [[nodiscard]] std::optional<KeyRecord> find(std::string_view key) const;
  /// Whether find() would give something, without reading it.
  [[nodiscard]] bool has(std::string_view key) const;
  /// First wins. Throws Error when the key is not that of the description or the object is not here. When the key leads
  /// to other bytes already, both are kept and `record.divergent` of the file grows. Returns false in that case. A key
  /// that was released is held again; where it then has other bytes, they are what it leads to, and the summary's
  /// `removed` names those that are gone.
  bool publish(const KeyRecord& record) const;
  /// Whether the key is published and its object was removed on purpose (release.h).
  [[nodiscard]] bool released(std::string_view key) const;
  [[nodiscard]] std::filesystem::path released_path(std::string_view key) const;
  /// Shared: no object is released, so that what is published leads to something. Exclusive: nothing is published and
  /// no study begins. Waits.
  [[nodiscard]] FileDescriptor lock_publishing(LockMode mode) const;
  /// Waits; `nullopt` with `wait == false` when another process holds it, or removes things from the store.
  [[nodiscard]] std::optional<KeyLock> lock(std::string_view key, bool wait) const;
  /// For who counts on what is there: as long as it is held, nothing is removed. Many may hold it. Waits while somebody
  /// removes things.
  [[nodiscard]] KeyLock lock_for_use() const;
  /// For who removes things: as long as it is held, nobody gets the lock of a key or of use. `nullopt` when somebody
  /// has one.
  [[nodiscard]] std::optional<KeyLock> lock_against_use() const;

  // Work in progress.
  /// snapshots/<key>, which its owner replaces atomically and removes; nothing is made here.
  [[nodiscard]] std::filesystem::path snapshot_path(std::string_view key) const;
  [[nodiscard]] std::filesystem::path spool_folder() const;

  // Manifests: manifests/<digest>.json, the digest being that of its text.
  [[nodiscard]] std::string put_manifest(const Json& manifest) const;
  [[nodiscard]] Json manifest(std::string_view digest) const;

 private:
  Store(std::filesystem::path root, std::string id) : root_(std::move(root)), id_(std::move(id)) {}
  [[nodiscard]] std::filesystem::path key_path(std::string_view key) const;
  [[nodiscard]] std::filesystem::path use_lock_path() const;
  void place(const std::filesystem::path& sealed, const std::string& digest) const;
  void add_divergent(const KeyRecord& record) const;
  /// Of a key whose record is there.
  bool publish_again(const KeyRecord& record) const;

  std::filesystem::path root_;
  std::string id_;
};

[[nodiscard]] Json to_json(const KeyRecord& record);
[[nodiscard]] KeyRecord key_record(const Json& json, const std::string& where);

/// SHA-256 over the description's canonical text: keys sorted, no blanks, shortest round-trip numbers.
[[nodiscard]] std::string key_of(const Json& description);

}  // namespace atelier
