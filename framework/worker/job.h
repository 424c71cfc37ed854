#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/tensor/placement.h"

namespace atelier::worker {

/// One request to the worker: a JSON object that the command has validated. Look-ups throw Error naming the key, so
/// that a job written by another program is refused in words.
class Job {
 public:
  explicit Job(const Json& json) : json_(json) {}

  [[nodiscard]] std::string text(const char* key) const;
  [[nodiscard]] std::optional<std::string> optional_text(const char* key) const;
  [[nodiscard]] std::int64_t integer(const char* key) const;
  [[nodiscard]] std::optional<std::int64_t> optional_integer(const char* key) const;
  [[nodiscard]] double number(const char* key) const;
  [[nodiscard]] std::optional<double> optional_number(const char* key) const;
  [[nodiscard]] bool flag(const char* key) const;  ///< false when absent
  [[nodiscard]] std::vector<std::string> texts(const char* key) const;
  [[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> optional_size(
      const char* key) const;                             ///< width, height
  [[nodiscard]] const Json* find(const char* key) const;  ///< null when absent or null

  /// The keys `device` and `dtype`. Throws Error when the device is not there.
  [[nodiscard]] Placement placement() const;

 private:
  const Json& json_;
};

using JobHandler = void (*)(const Job&);

void run_base_measure(const Job& job);
void run_base_train(const Job& job);
void run_export_files(const Job& job);
void run_merge_files(const Job& job);
void run_probe_component(const Job& job);
void run_probe_method(const Job& job);
void run_probe_picture(const Job& job);
void run_probe_scheduler(const Job& job);
void run_sample(const Job& job);

/// The handlers by the job's name.
[[nodiscard]] const std::map<std::string, JobHandler>& job_handlers();

}  // namespace atelier::worker
