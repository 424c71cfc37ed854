#include "framework/cli/live_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/plan/estimate.h"
#include "framework/store/live.h"

namespace atelier::cli {
namespace {

Json with_time_left(Json job) {
  const double rate = job.value("rate", 0.0);
  const double left = job.value("total", 0.0) - job.value("done", 0.0);
  job["seconds_left"] = rate > 0.0 ? Json(std::max(left, 0.0) / rate) : Json();
  return job;
}

/// "training 140/280, 12.3/s, loss 0.41, 11 s left"
std::string how_far(const Json& job) {
  if (!job.contains("total")) return "begins";
  std::string text = fmt::format("{} {}/{}", job.value("what", ""), job.at("done").dump(), job.at("total").dump());
  if (job.contains("rate")) text += fmt::format(", {:.2f}/s", job.at("rate").get<double>());
  if (job.contains("loss") && job.at("loss").is_number()) text += fmt::format(", loss {:.4f}", job.value("loss", 0.0));
  if (!job.at("seconds_left").is_null()) text += ", " + duration_text(job.value("seconds_left", 0.0)) + " left";
  return text;
}

}  // namespace

Json live_work(const Store& store, const std::string& manifest) {
  Json work = Json::array();
  for (Json& state : live_states(store)) {
    if (!manifest.empty() && state.value("manifest", "") != manifest) continue;
    Json jobs = Json::array();
    for (const Json& job : state.value("jobs", Json::array())) jobs.push_back(with_time_left(job));
    state["jobs"] = std::move(jobs);
    work.push_back(std::move(state));
  }
  return work;
}

void print_live_work(const Json& work) {
  for (const Json& state : work) {
    fmt::print("now: {} on {}, process {}, job {} of {}\n", state.value("study", ""), state.value("host", ""),
               state.value("pid", 0), state.value("begun", 0), state.value("total", 0));
    for (const Json& job : state.at("jobs")) fmt::print("  {}: {}\n", job.value("title", ""), how_far(job));
  }
}

Json time_left(const Store& store, Index& index, const std::string& manifest, const Json& work) {
  const Json plan = store.manifest(manifest);
  const Estimate left = estimate(plan, store, index);
  if (left.jobs == 0) return nullptr;
  std::int64_t workers = 0;
  for (const Json& state : work) workers += state.value("workers", std::int64_t{1});
  const Json& slots = member_or_null(member_or_null(plan, "placement"), "slots");
  if (workers == 0 && slots.is_number_integer()) workers = slots.get<std::int64_t>();
  return {{"seconds_left", left.seconds / static_cast<double>(std::max<std::int64_t>(workers, 1))},
          {"unmeasured_jobs", left.unmeasured}};
}

}  // namespace atelier::cli
