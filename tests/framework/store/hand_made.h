#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "tests/support/temporary_folder.h"

namespace atelier::tests {

/// A store as `run` and its workers leave it: a study of one run that was trained (with losses), sampled and scored,
/// and a second run whose training failed. Every step of it can be made by itself, in any order.
class HandMade {
 public:
  HandMade();

  void put_manifest();
  void publish_train();
  void publish_sample();
  void publish_score();
  /// Another training came out with other bytes.
  void publish_other_weights();
  void write_first_spool();
  void write_second_spool();
  void make_all();

  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return folder_ / ("store/" + name); }
  [[nodiscard]] std::filesystem::path key_file(const Json& description) const {
    return path("keys/" + key_of(description) + ".json");
  }
  [[nodiscard]] std::filesystem::path manifest_file() const { return path("manifests/" + manifest_digest + ".json"); }

  TemporaryFolder folder_;
  Store store;
  Json train, failing, sample, score;  ///< descriptions
  Json manifest;
  std::string manifest_digest, weights, losses, pictures, table;  ///< digests

 private:
  [[nodiscard]] Json job(int id, const char* kind, const char* run, const Json& output) const;
  void publish(const Json& description, const std::string& object, const Json& summary) const;
};

}  // namespace atelier::tests
