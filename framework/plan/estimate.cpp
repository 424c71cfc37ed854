#include "framework/plan/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "framework/core/error.h"
#include "framework/plan/remaining.h"
#include "framework/store/manifest_parts.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

/// Sums over what was measured: seconds and bytes for so many units.
struct Measured {
  double seconds = 0.0, timed_units = 0.0;
  double bytes = 0.0, sized_outputs = 0.0;
};

std::string member_text(const Json& json, const char* name) {
  const Json& member = member_or_null(json, name);
  return member.is_string() ? member.get<std::string>() : std::string();
}

/// What jobs are alike in.
std::string group_of(const Json& description) {
  const Json& protocol = member_or_null(description, "protocol");
  return member_text(description, "kind") + "|" + member_text(description, "method") + "|" +
         member_text(description, "stage") + "|" + member_text(protocol, "id");
}

/// Optimizer steps, pictures, or one.
double units_of(const Json& description) {
  const std::string kind = member_text(description, "kind");
  if (kind == "train") return std::max(member_or_null(description, "step").get<double>(), 1.0);
  const Json& seeds = member_or_null(description, "seeds");
  return seeds.is_array() ? static_cast<double>(std::max<std::size_t>(seeds.size(), 1)) : 1.0;
}

/// An attempt at a training makes the longest of its steps, one at pictures the sum of them.
void add_units(double& units, const Json& description) {
  const double more = units_of(description);
  units = description.value("kind", "") == "train" ? std::max(units, more) : units + more;
}

std::map<std::string, Measured> measure(Index& index) {
  std::map<std::string, Measured> groups;
  for (const Row& row : index.query("SELECT description, bytes FROM artifact WHERE bytes IS NOT NULL")) {
    Measured& group = groups[group_of(parse_json(atelier::text_of(row[0]), "index: artifact"))];
    group.bytes += static_cast<double>(integer_of(row[1]));
    ++group.sized_outputs;
  }
  struct Attempt {
    std::string group;
    double seconds = 0.0, units = 0.0;
  };
  std::map<std::string, Attempt> attempts;
  for (const Row& row : index.query("SELECT k.attempt, e.seconds, a.description FROM attempt_key k JOIN last_end e ON "
                                    "e.attempt = k.attempt JOIN artifact a ON a.key = k.key WHERE e.status = 'done'")) {
    Attempt& attempt = attempts[atelier::text_of(row[0])];
    const Json description = parse_json(atelier::text_of(row[2]), "index: artifact");
    attempt.group = group_of(description);
    if (const auto* seconds = std::get_if<double>(&row[1])) attempt.seconds = *seconds;
    add_units(attempt.units, description);
  }
  for (const auto& [unused, attempt] : attempts) {
    groups[attempt.group].seconds += attempt.seconds;
    groups[attempt.group].timed_units += attempt.units;
  }
  return groups;
}

/// What a study takes at most at a time, under its policy: what stays, what several runs need, and of what one run
/// needs until it is scored that of the largest run for each worker and one more, since cells are finished before
/// others begin.
class DiskUse {
 public:
  explicit DiskUse(const Json& manifest)
      : policy_(manifest), transient_(policy_.releases() ? policy_.transient() : std::set<std::string>()) {
    const Json& placement = member_or_null(manifest, "placement");
    if (placement.is_object()) slots_ = std::max(placement.value("slots", 1.0), 1.0);
  }

  void add(const Json& job, const Json& output, double bytes) {
    const bool goes = transient_.contains(output.at("key").get_ref<const std::string&>()) &&
                      policy_.lets_go(job.at("kind").get<std::string>(), static_cast<std::uintmax_t>(bytes));
    const Json& runs = member_or_null(job, "runs");
    if (goes && runs.size() == 1) {
      of_runs_[runs.front().get<std::string>()] += bytes;
    } else {
      stays_ += bytes;
    }
  }

  [[nodiscard]] double most() const {
    double largest = 0.0, all = 0.0;
    for (const auto& [unused, bytes] : of_runs_) {
      largest = std::max(largest, bytes);
      all += bytes;
    }
    return stays_ + std::min(all, (slots_ + 1.0) * largest);
  }

 private:
  KeepPolicy policy_;
  std::set<std::string> transient_;
  double slots_ = 1.0, stays_ = 0.0;
  std::map<std::string, double> of_runs_;
};

}  // namespace

Estimate estimate(const Json& manifest, const Store& store, Index& index) {
  Estimate sum;
  const auto work = work_to_do(manifest, store);
  if (work.empty()) return sum;
  const auto groups = measure(index);  // which reads all that was ever made
  DiskUse disk(manifest);
  for (const Json& job : manifest.at("jobs")) {
    const auto found = work.find(job.at("id").get<std::int64_t>());
    if (found == work.end()) continue;
    double units = 0.0;
    Json description;
    for (const std::size_t k : found->second) {
      description = description_of(manifest, job.at("outputs")[k]);
      add_units(units, description);
    }
    ++sum.jobs;
    const auto like = groups.find(group_of(description));
    if (like == groups.end() || like->second.timed_units == 0.0) {
      ++sum.unmeasured;
      continue;
    }
    const Measured& group = like->second;
    sum.seconds += units * group.seconds / group.timed_units;
    if (group.sized_outputs == 0.0) continue;
    for (const std::size_t k : found->second) disk.add(job, job.at("outputs")[k], group.bytes / group.sized_outputs);
  }
  sum.bytes = static_cast<std::int64_t>(disk.most());
  return sum;
}

void check_fits(const Estimate& estimate, std::uintmax_t free_bytes, const std::string& place) {
  if (static_cast<std::uintmax_t>(std::max<std::int64_t>(estimate.bytes, 0)) <= free_bytes) return;
  throw Error(
      {.where = place,
       .found = bytes_text(static_cast<double>(free_bytes)) + " of free disk",
       .expected = fmt::format("room for about {}, by what jobs like these took here",
                               bytes_text(static_cast<double>(estimate.bytes))),
       .advice = "free some (`atelier gc` removes what no study needs), choose another --store, or ask for less"},
      ErrorKind::usage);
}

std::string duration_text(double seconds) {
  if (seconds < 100.0) return fmt::format("{:.0f} s", seconds);
  if (seconds < 6000.0) return fmt::format("{:.0f} min", seconds / 60.0);
  return fmt::format("{:.1f} h", seconds / 3600.0);
}

std::string bytes_text(double bytes) {
  if (bytes < 1e6) return fmt::format("{:.0f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

}  // namespace atelier
