#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "framework/execute/execute.h"
#include "framework/plan/remaining.h"
#include "framework/store/release.h"

namespace atelier::cli {

/// Passes everything on to another observer, and does what the study's `keep` says: after each score it gives up the
/// objects that neither the study nor another in the store needs any more, nor a bundle that was exported.
class ReleaseObserver final : public ExecuteObserver {
 public:
  /// All is borrowed. `digest`: of the manifest.
  ReleaseObserver(const Store& store, const Json& manifest, const std::string& digest, ExecuteObserver& next);

  /// What could go before this call: a study that was scored on a cluster, or under another policy.
  void release_scored();
  /// Bytes that were removed.
  [[nodiscard]] std::uintmax_t released() const { return bytes_; }

  void started(const Json& job, std::size_t number, std::size_t total) override { next_.started(job, number, total); }
  void progressed(const Json& job, const Json& event) override { next_.progressed(job, event); }
  void finished(const Json& job, const Json& event) override;
  void failed(const JobFailure& failure) override { next_.failed(failure); }
  void retried(const JobFailure& failure) override { next_.retried(failure); }

 private:
  void release(std::set<std::string> keys);
  void read_others();
  [[nodiscard]] bool is_free(const std::string& key) const;

  const Store& store_;
  ExecuteObserver& next_;
  const std::string study_;
  const KeepPolicy policy_;
  Releaser releaser_;
  std::map<std::string, std::unique_ptr<KeepPolicy>> others_;  // by manifest; null: this study's own
  std::set<std::string> held_;                                 // by pins
  std::uintmax_t bytes_ = 0;
};

}  // namespace atelier::cli
