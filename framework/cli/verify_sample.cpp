#include "framework/cli/verify_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/cli/run_observer.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/execute/execute.h"
#include "framework/store/manifest_parts.h"
#include "framework/store/queries.h"
#include "framework/store/references.h"

namespace atelier::cli {
namespace {

constexpr std::size_t kShareDigits = 12;

/// A job that can be done again, with where it stands.
struct Candidate {
  std::string rank;  ///< decides which are chosen
  std::size_t manifest = 0;
  std::int64_t job = 0;
};

std::string first_key(const Json& job) { return job.at("outputs").front().at("key").get<std::string>(); }

/// Whether the job's results, and all that they are made from, are held: what `keep:` removed is not made for a check.
bool is_held(const Json& manifest, const Json& job, const Store& store) {
  std::set<std::string> keys;
  for (const Json& output : job.at("outputs")) {
    keys.insert(output.at("key").get<std::string>());
    collect_digests(description_of(manifest, output), keys);
  }
  return std::ranges::none_of(keys, [&](const std::string& key) { return store.released(key); });
}

/// Jobs whose results are all there, each once; pictures of other programs are not ours to make.
std::vector<Candidate> candidates_of(const Store& store, const std::vector<Json>& manifests, std::int64_t seed) {
  std::vector<Candidate> all;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < manifests.size(); ++i) {
    for (const Json& job : manifests[i].at("jobs")) {
      if (job.at("kind") == "given" || !is_done(job, store) || !is_held(manifests[i], job, store)) continue;
      if (!seen.insert(first_key(job)).second) continue;
      all.push_back({sha256_hex(fmt::format("{} {}", seed, first_key(job))), i, job.at("id").get<std::int64_t>()});
    }
  }
  std::ranges::sort(all, {}, &Candidate::rank);
  return all;
}

std::map<std::string, std::size_t> divergences_of(const Store& store, const Json& manifest,
                                                  const std::set<std::int64_t>& jobs) {
  std::map<std::string, std::size_t> counts;
  for (const std::int64_t id : jobs) {
    for (const Json& output : manifest.at("jobs").at(static_cast<std::size_t>(id)).at("outputs")) {
      const auto record = store.find(output.at("key").get<std::string>());
      counts[output.at("key").get<std::string>()] = record ? record->divergent.size() : 0;
    }
  }
  return counts;
}

/// The jobs of one manifest. A divergence that was known before and comes again counts too: the event tells.
void do_again(const Store& store, const Json& manifest, const std::set<std::int64_t>& jobs, bool json,
              SampledCheck& check) {
  const auto before = divergences_of(store, manifest, jobs);
  const ExecuteOptions options{.slots = manifest.at("placement").at("slots").get<std::size_t>(), .again = jobs};
  RunObserver observer(json, options.slots > 1);
  const ExecuteResult result = execute(manifest, store, worker_path(), observer, options);
  for (const auto& [key, count] : divergences_of(store, manifest, jobs)) {
    if (count > before.at(key)) check.differing.push_back(key);
  }
  for (const JobFailure& failure : result.failures)
    check.failed.push_back(fmt::format("{} of run {}: {}", failure.kind,
                                       failure.runs.empty() ? "-" : failure.runs.front().substr(0, kShareDigits),
                                       failure.text));
  check.jobs += result.done;
  check.interrupted = check.interrupted || result.interrupted;
}

}  // namespace

double parse_share(const std::string& text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const bool percent = error == std::errc{} && rest + 1 == end && *rest == '%';
  const double share = percent ? value / 100.0 : value;
  if ((percent || (error == std::errc{} && rest == end)) && share > 0.0 && share <= 1.0) return share;
  throw Error({.where = "--sample",
               .found = "\"" + text + "\"",
               .expected = "a share of the jobs, above 0 and up to 100 %, e.g. 2% or 0.02"},
              ErrorKind::usage);
}

SampledCheck verify_sample(const Store& store, Index& index, double share, std::int64_t seed, bool json) {
  std::vector<Json> manifests;
  for (const StudyInfo& study : studies(index)) manifests.push_back(store.manifest(study.manifest));
  const auto all = candidates_of(store, manifests, seed);
  SampledCheck check{.all = all.size()};
  const auto count = static_cast<std::size_t>(std::ceil(share * static_cast<double>(all.size())));
  std::map<std::size_t, std::set<std::int64_t>> chosen;  // by manifest
  for (std::size_t i = 0; i < std::min(count, all.size()); ++i) chosen[all[i].manifest].insert(all[i].job);
  for (const auto& [manifest, jobs] : chosen) {
    if (!check.interrupted) do_again(store, manifests[manifest], jobs, json, check);
  }
  return check;
}

}  // namespace atelier::cli
