#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "framework/core/error.h"

namespace atelier {

/// Where something was written: line and column from 1 (columns count characters), or the text of an override or of an
/// option of the command.
struct SourcePosition {
  std::size_t line = 0;  ///< of an override: its place among them
  std::size_t column = 0;
  std::string override_text = {};  ///< "--set a.b"; empty for a place in the file
  bool command = false;            ///< an option of the command: who gave it saw no file, and no key paths
};

/// "file:line:column", or the text of the override.
[[nodiscard]] std::string place_text(const std::string& file, const SourcePosition& at);

/// Every fault of one file, so that its reader is told all of them at once.
class Faults {
 public:
  explicit Faults(std::string file) : file_(std::move(file)) {}

  /// `found` begins with the key path where there is one. The same fault at the same place counts once.
  void add(const SourcePosition& at, std::string found, std::string expected = "", std::string advice = "");
  [[nodiscard]] bool empty() const { return faults_.empty(); }
  [[nodiscard]] std::size_t size() const { return faults_.size(); }
  [[nodiscard]] const std::string& file() const { return file_; }

  /// "file:line:column: found; expected …; advice", in file order, then those of overrides.
  [[nodiscard]] std::vector<std::string> lines() const;
  /// Throws one Error (usage) with all of them; nothing when there is none. See fault_lines.
  void raise() const;

 private:
  struct Entry {
    SourcePosition at;
    Fault fault;
  };
  [[nodiscard]] std::vector<Entry> sorted() const;
  std::string file_;
  std::vector<Entry> faults_;
};

/// An error's faults, a line each: of Faults::raise all of them, of any other error its one line.
[[nodiscard]] std::vector<std::string> fault_lines(const Error& error);

}  // namespace atelier
