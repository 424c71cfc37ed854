#include "framework/cli/release_observer.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/store/names.h"
#include "framework/store/pins.h"

namespace atelier::cli {

namespace fs = std::filesystem;

ReleaseObserver::ReleaseObserver(const Store& store, const Json& manifest, const std::string& digest,
                                 ExecuteObserver& next)
    : store_(store), next_(next), study_(manifest.value("study", "")), policy_(manifest), releaser_(store) {
  others_.emplace(digest, nullptr);
}

/// The other studies, as they want to be kept; of this one's earlier forms what they have not scored yet.
void ReleaseObserver::read_others() {
  held_.clear();
  for (const auto& pin : read_pins(store_)) held_.insert(pin.held.begin(), pin.held.end());
  for (const auto& entry : fs::directory_iterator(store_.root() / "manifests")) {
    const auto digest = entry.path().stem().string();
    if (entry.path().extension() != ".json" || !is_digest(digest) || others_.contains(digest)) continue;
    const Json manifest = store_.manifest(digest);
    const bool earlier = manifest.value("study", "") == study_;
    others_.emplace(digest, std::make_unique<KeepPolicy>(manifest, earlier ? "until_scored" : ""));
  }
}

bool ReleaseObserver::is_free(const std::string& key) const {
  if (held_.contains(key) || policy_.needs(key, store_)) return false;
  return std::ranges::none_of(
      others_, [&](const auto& other) { return other.second != nullptr && other.second->needs(key, store_); });
}

/// A disk that fails here must not end the study.
void ReleaseObserver::release(std::set<std::string> keys) try {
  std::erase_if(keys, [this](const std::string& key) { return policy_.needs(key, store_) || store_.released(key); });
  if (keys.empty()) return;
  bool read = false;
  bytes_ += releaser_.release(keys, [&](const std::string& key) {
    if (!std::exchange(read, true)) read_others();  // under the lock: no study begins meanwhile
    return is_free(key);
  });
} catch (const Error& error) {
  fmt::print(stderr, "atelier: keep: {}\n", error.what());
}

void ReleaseObserver::release_scored() {
  if (policy_.releases()) release(policy_.transient());
}

void ReleaseObserver::finished(const Json& job, const Json& event) {
  next_.finished(job, event);
  if (!policy_.releases() || job.at("kind") != "score") return;
  for (const Json& output : job.at("outputs")) release(policy_.behind(output.at("key").get<std::string>()));
}

}  // namespace atelier::cli
