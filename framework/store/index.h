#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/file_descriptor.h"
#include "framework/store/database.h"
#include "framework/store/store.h"

namespace atelier {

/// The SQLite file that answers questions about a store (design 9). Derived: it may be removed at any time.
/// A damaged one, or one of another version, is rebuilt, and a message says so.
class Index {
 public:
  /// <store>/index.sqlite; where that is a network file system or may not be written: <user's
  /// state>/atelier/<id>.sqlite
  /// ($XDG_STATE_HOME, else ~/.local/state).
  [[nodiscard]] static std::filesystem::path file_of(const Store& store);

  /// Opens or makes the file and ingests what is new, if no other process is at it.
  explicit Index(const Store& store, std::filesystem::path file = {});

  /// Ingests what the store gained. false: another process is writing, and the view is as old as `messages()` says.
  bool refresh();
  /// Makes the file anew from the store.
  void rebuild();
  /// What the user should be told: rebuilt, old view, damaged lines.
  [[nodiscard]] const std::vector<std::string>& messages() const { return messages_; }

  std::vector<Row> query(const std::string& sql, const Row& parameters = {});
  /// Every content table as text, in a fixed order: equal for equal stores.
  [[nodiscard]] std::string dump();
  /// What SQLite's own check says about the file; empty when it is sound.
  [[nodiscard]] std::vector<std::string> check();

 private:
  void open();
  void make();
  [[nodiscard]] FileDescriptor lock_making() const;
  /// Does `work`; when the file turns out to be damaged, makes it anew instead.
  void mend(const std::function<void()>& work);
  bool ingest_new(int wait_ms);
  void tell(std::string message);
  void tell_age();
  void tell_damage();

  const Store store_;
  std::filesystem::path file_;
  std::unique_ptr<Database> database_;
  std::vector<std::string> messages_;
};

}  // namespace atelier
