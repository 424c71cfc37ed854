#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

/// A folder with a study on the toy model: one concept, few steps, small pictures; and its store.
class StudyPlace {
 public:
  /// `methods` is the YAML of the mapping under `methods:`, `more` further lines of the file.
  explicit StudyPlace(const std::string& methods, const std::string& more = "");

  [[nodiscard]] Outcome run(const std::vector<std::string>& options = {}) const { return command("run", options); }
  [[nodiscard]] Outcome command(const std::string& name, const std::vector<std::string>& options = {}) const;
  /// A command about the finished study: status, table …
  [[nodiscard]] Outcome ask(const std::string& name, const std::vector<std::string>& options = {}) const;
  [[nodiscard]] std::string study() const { return folder_ / "study.yaml"; }
  [[nodiscard]] std::string store() const { return folder_ / "store"; }
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }
  /// Key -> digest of what it leads to.
  [[nodiscard]] std::map<std::string, std::string> published() const;

 private:
  TemporaryFolder folder_;
};

/// Both methods with few steps; `rate` is the learning rate of all stages.
[[nodiscard]] std::string both_methods(const std::string& rate);
