#include "framework/plan/remaining.h"

#include <algorithm>
#include <array>

#include "framework/store/manifest_parts.h"
#include "framework/store/references.h"

namespace atelier {
namespace {

constexpr std::uintmax_t kLarge = 50'000'000;  // bytes
constexpr std::array<std::string_view, 2> kTrained{"train", "merge"};
constexpr std::array<std::string_view, 3> kDrawn{"sample", "generate", "mask"};

const std::string& key_in(const Json& output) { return output.at("key").get_ref<const std::string&>(); }

}  // namespace

WorkToDo work_to_do(const Json& manifest, const Store& store) {
  WorkToDo work;
  std::set<std::string> wanted;  // what the outputs that are made are made from
  const bool any_released = std::filesystem::is_directory(store.root() / "released");
  const Json& jobs = manifest.at("jobs");
  for (std::size_t i = jobs.size(); i-- > 0;) {  // a job needs earlier ones alone
    const Json& outputs = jobs[i].at("outputs");
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const std::string& key = key_in(outputs[k]);
      const bool again = any_released && wanted.contains(key) && store.released(key);
      if (store.has(key) && !again) continue;
      work[jobs[i].at("id").get<std::int64_t>()].push_back(k);
      if (any_released) collect_digests(description_of(manifest, outputs[k]), wanted);
    }
  }
  return work;
}

KeepPolicy::KeepPolicy(const Json& manifest, const std::string& keep)
    : keep_(keep.empty() ? manifest.value("keep", "all") : keep) {
  for (const Json& job : manifest.at("jobs")) {
    for (const Json& output : job.at("outputs")) artifacts_[key_in(output)].kind = job.at("kind").get<std::string>();
  }
  if (!releases()) return;
  for (const Json& job : manifest.at("jobs")) {
    for (const Json& output : job.at("outputs")) {
      std::set<std::string> digests;
      collect_digests(description_of(manifest, output), digests);
      auto& inputs = inputs_[key_in(output)];
      std::ranges::copy_if(digests, std::back_inserter(inputs),
                           [this](const std::string& digest) { return artifacts_.contains(digest); });
    }
  }
  add_scores();
}

void KeepPolicy::add_scores() {
  for (const auto& [score, unused] : inputs_) {
    if (artifacts_.at(score).kind != "score") continue;
    for (const auto& key : behind(score)) artifacts_.at(key).scores.push_back(score);
  }
}

std::set<std::string> KeepPolicy::behind(const std::string& score) const {
  std::set<std::string> found;
  std::vector<std::string> open{score};
  while (!open.empty()) {
    const auto inputs = inputs_.find(open.back());
    open.pop_back();
    if (inputs == inputs_.end()) continue;
    for (const auto& input : inputs->second) {
      if (found.insert(input).second) open.push_back(input);
    }
  }
  return found;
}

bool KeepPolicy::lets_go(const std::string& kind, std::uintmax_t bytes) const {
  const bool trained = std::ranges::count(kTrained, kind) > 0;
  if (keep_ == "small") return trained && bytes > kLarge;
  return keep_ == "until_scored" && (trained || std::ranges::count(kDrawn, kind) > 0);
}

bool KeepPolicy::needs(const std::string& key, const Store& store) const {
  const auto found = artifacts_.find(key);
  if (found == artifacts_.end()) return false;
  const Artifact& artifact = found->second;
  if (!releases() || artifact.scores.empty()) return true;
  while (artifact.published < artifact.scores.size() && store.has(artifact.scores[artifact.published]))
    ++artifact.published;
  if (artifact.published < artifact.scores.size()) return true;
  std::error_code gone;
  const auto record = store.find(key);
  const auto bytes = record ? std::filesystem::file_size(store.object_path(record->object), gone) : 0;
  return !lets_go(artifact.kind, gone ? 0 : bytes);
}

std::set<std::string> KeepPolicy::transient() const {
  std::set<std::string> keys;
  for (const auto& [key, artifact] : artifacts_) {
    if (!artifact.scores.empty() && artifact.kind != "score" && artifact.kind != "given") keys.insert(key);
  }
  return keys;
}

}  // namespace atelier
