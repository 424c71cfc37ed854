#include "framework/execute/slurm_slices.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/store/manifest_parts.h"

namespace atelier {
namespace {

struct Slice {
  std::set<std::int64_t> jobs;
  double work = 0;
};

class Division {
 public:
  Division(const Json& manifest, const std::set<std::int64_t>& undone)
      : manifest_(manifest), jobs_(manifest.at("jobs")), undone_(undone) {}

  /// The job and what it needs.
  [[nodiscard]] std::set<std::int64_t> closed(std::int64_t id) const {
    std::set<std::int64_t> all;
    std::vector<std::int64_t> open{id};
    while (!open.empty()) {
      const std::int64_t next = open.back();
      open.pop_back();
      if (!undone_.contains(next) || !all.insert(next).second) continue;
      for (const Json& need : job(next).at("needs")) open.push_back(need.get<std::int64_t>());
    }
    return all;
  }
  [[nodiscard]] double work(const std::set<std::int64_t>& ids) const {
    double sum = 0;
    for (const std::int64_t id : ids) sum += estimated_work(manifest_, job(id));
    return sum;
  }
  /// Those that no other one needs: with their needs they are everything.
  [[nodiscard]] std::vector<std::int64_t> ends(const std::set<std::int64_t>& open) const {
    std::set<std::int64_t> ends = open;
    for (const std::int64_t id : open) {
      for (const Json& need : job(id).at("needs")) ends.erase(need.get<std::int64_t>());
    }
    return {ends.begin(), ends.end()};
  }

 private:
  [[nodiscard]] const Json& job(std::int64_t id) const { return jobs_.at(static_cast<std::size_t>(id)); }

  const Json &manifest_, &jobs_;
  const std::set<std::int64_t>& undone_;
};

}  // namespace

double estimated_work(const Json& manifest, const Json& job) {
  const Json& content = job.at("job");
  const std::string kind = job.at("kind").get<std::string>();
  if (kind == "train") return 3.0 * static_cast<double>(content.value("steps", std::int64_t{1}));
  if (kind != "sample" && kind != "generate") return 1.0;
  std::size_t images = 0;
  for (const Json& output : job.at("outputs")) images += output.value("seeds", Json::array()).size();
  const Json& sampler = member_of(manifest, content, "sampler");
  const auto steps = sampler.is_object() ? sampler.value("steps", std::int64_t{50}) : 50;
  return 2.0 * static_cast<double>(images) * static_cast<double>(steps);
}

std::vector<std::vector<std::int64_t>> slurm_slices(const Json& manifest, const std::set<std::int64_t>& open,
                                                    const std::set<std::int64_t>& undone, std::size_t most) {
  const Division division(manifest, undone);
  const auto ends = division.ends(open);
  std::set<std::int64_t> all;
  for (const std::int64_t end : ends) all.merge(division.closed(end));
  std::vector<Slice> slices(std::max<std::size_t>(1, std::min(most, ends.size())));
  const double share = division.work(all) / static_cast<double>(slices.size());
  for (const std::int64_t end : ends) {
    const auto wanted = division.closed(end);
    // Where most of it is already, as long as that slice has not its share; else where the least work then is.
    const auto rank = [&](const Slice& slice) {
      std::set<std::int64_t> fresh;
      std::ranges::set_difference(wanted, slice.jobs, std::inserter(fresh, fresh.end()));
      const double added = division.work(fresh);
      const bool at_home = fresh.size() < wanted.size() && slice.work + added <= share * 1.05;
      return std::pair(!at_home, slice.work + added);
    };
    Slice& chosen = *std::ranges::min_element(slices, {}, rank);
    chosen.jobs.insert(wanted.begin(), wanted.end());
    chosen.work = division.work(chosen.jobs);
  }
  std::vector<std::vector<std::int64_t>> lists;
  for (const Slice& slice : slices) {
    if (!slice.jobs.empty()) lists.emplace_back(slice.jobs.begin(), slice.jobs.end());
  }
  return lists;
}

Json slice_manifest(const Json& manifest, const std::vector<std::int64_t>& jobs,
                    const std::map<std::string, std::string>& plugins, std::int64_t slots) {
  std::map<std::int64_t, std::int64_t> places;
  for (const std::int64_t id : jobs) places.emplace(id, static_cast<std::int64_t>(places.size()));
  Json slice{{"study", manifest.at("study")}, {"placement", manifest.at("placement")}, {"jobs", Json::array()}};
  slice["placement"]["slots"] = slots;
  for (const std::int64_t id : jobs) {
    Json job = whole_job(manifest, manifest.at("jobs").at(static_cast<std::size_t>(id)));
    job["id"] = places.at(id);
    Json needs = Json::array();
    for (const Json& need : job.at("needs")) {
      const auto place = places.find(need.get<std::int64_t>());
      if (place != places.end()) needs.push_back(place->second);
    }
    job["needs"] = needs;
    if (const Json& plugin = member_or_null(job["job"], "plugin"); plugin.is_string()) {
      const auto frozen = plugins.find(plugin.get<std::string>());
      if (frozen != plugins.end()) job["job"]["plugin"] = frozen->second;
    }
    slice["jobs"].push_back(std::move(job));
  }
  return slice;
}

}  // namespace atelier
