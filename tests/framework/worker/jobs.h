#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/store.h"
#include "tests/support/temporary_folder.h"

/// Jobs for the tiny Stable Diffusion 1.5 with Textual Inversion, as the planner would write them, and the store that
/// they fill.
class Workplace {
 public:
  [[nodiscard]] std::string root() const { return (folder_.path() / "store").string(); }
  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  [[nodiscard]] atelier::Store store() const { return atelier::Store::open(root()); }
  [[nodiscard]] std::filesystem::path object_of(const std::string& key) const;

  /// Outputs at `steps`; `extra` enters the descriptions, so that keys differ.
  [[nodiscard]] atelier::Json train(const std::vector<std::int64_t>& steps, const std::string& extra = "") const;
  [[nodiscard]] atelier::Json sample(const atelier::Json& artifact, const std::vector<std::string>& texts,
                                     const std::vector<std::int64_t>& seeds, std::int64_t batch = 2) const;
  [[nodiscard]] atelier::Json score(const atelier::Json& sample_job) const;

 private:
  [[nodiscard]] atelier::Json common(const std::string& kind) const;
  TemporaryFolder folder_;
};

/// The key of an output.
[[nodiscard]] std::string key_of_output(const atelier::Json& job, std::size_t index);
/// All spool events of a store, of one type.
[[nodiscard]] std::vector<atelier::Json> spool_events(const atelier::Store& store, const std::string& type);
[[nodiscard]] bool has_textual_inversion();
