// What the runner adds to a stage: jobs that do nothing, done by tests/framework/execute/scripted_worker.
//
//   stage_overhead SCRIPTED_WORKER STORE [jobs = 2000] [outputs of each = 8] [slots = 1]
//
// Prints milliseconds for each job: handing it to the worker, the locks of its keys, the worker's publications (each
// object and each record synced to the disk), its events, its end. The store is made, and left.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>

#include "framework/core/error.h"
#include "framework/execute/execute.h"

namespace {

using atelier::Json;

class Silent final : public atelier::ExecuteObserver {
 public:
  void started(const Json&, std::size_t, std::size_t) override {}
  void progressed(const Json&, const Json&) override {}
  void finished(const Json&, const Json&) override {}
  void failed(const atelier::JobFailure& failure) override { fmt::print(stderr, "{}\n", failure.text); }
};

/// Pairs of jobs, the second of which needs the first, as pictures and their scores do.
Json plan_of(std::size_t jobs, std::size_t outputs) {
  Json plan{{"jobs", Json::array()}};
  for (std::size_t id = 0; id < jobs; ++id) {
    Json job{{"id", id},
             {"kind", id % 2 == 0 ? "sample" : "score"},
             {"needs", Json::array()},
             {"runs", {fmt::format("run{}", id / 2)}},
             {"base", "b"},
             {"outputs", Json::array()},
             {"job", {{"act", ""}}}};
    if (id % 2 == 1) job["needs"].push_back(id - 1);
    for (std::size_t k = 0; k < outputs; ++k) {
      const Json description{{"kind", job["kind"]}, {"number", id}, {"k", k}};
      job["outputs"].push_back({{"key", atelier::key_of(description)}, {"description", description}});
    }
    plan["jobs"].push_back(std::move(job));
  }
  return plan;
}

std::size_t number(int count, char** words, int i, std::size_t fallback) {
  if (i >= count) return fallback;
  const std::string_view text(words[i]);
  std::from_chars(text.data(), text.data() + text.size(), fallback);
  return fallback;
}

}  // namespace

int main(int count, char** words) try {
  if (count < 3) {
    fmt::print(stderr, "stage_overhead SCRIPTED_WORKER STORE [jobs] [outputs] [slots]\n");
    return 2;
  }
  const auto jobs = number(count, words, 3, 2000), outputs = number(count, words, 4, 8);
  const auto slots = number(count, words, 5, 1);
  const Json plan = plan_of(jobs, outputs);
  const auto store = atelier::Store::create_or_open(words[2]);
  Silent observer;
  const auto begin = std::chrono::steady_clock::now();
  const auto result = atelier::execute(plan, store, words[1], observer, {.slots = slots});
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
  fmt::print("{} jobs of {} outputs, {} slots: {:.2f} ms a job\n", result.done, outputs, slots,
             taken.count() / static_cast<double>(std::max<std::size_t>(result.done, 1)));
  return result.failures.empty() ? 0 : 1;
} catch (const atelier::Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
