#include "framework/worker/job.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/tensor/devices.h"

namespace atelier::worker {
namespace {

[[noreturn]] void refuse(const char* key, const Json* found, const char* expected) {
  throw Error({.where = fmt::format("job: {}", key),
               .found = found == nullptr ? "nothing" : found->dump(),
               .expected = expected,
               .advice = "call the worker through the command `atelier`"},
              ErrorKind::usage);
}

}  // namespace

const Json* Job::find(const char* key) const {
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Job::optional_text(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse(key, value, "a string");
  return value->get<std::string>();
}

std::string Job::text(const char* key) const {
  auto value = optional_text(key);
  if (!value) refuse(key, nullptr, "a string");
  return *value;
}

std::optional<std::int64_t> Job::optional_integer(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) refuse(key, value, "an integer");
  return value->get<std::int64_t>();
}

std::int64_t Job::integer(const char* key) const {
  const auto value = optional_integer(key);
  if (!value) refuse(key, nullptr, "an integer");
  return *value;
}

std::optional<double> Job::optional_number(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) refuse(key, value, "a number");
  return value->get<double>();
}

std::optional<std::pair<std::int64_t, std::int64_t>> Job::optional_size(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array() || value->size() != 2 || !(*value)[0].is_number_integer() ||
      !(*value)[1].is_number_integer()) {
    refuse(key, value, "[width, height]");
  }
  return std::pair{(*value)[0].get<std::int64_t>(), (*value)[1].get<std::int64_t>()};
}

double Job::number(const char* key) const {
  const auto value = optional_number(key);
  if (!value) refuse(key, nullptr, "a number");
  return *value;
}

bool Job::flag(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) refuse(key, value, "true or false");
  return value->get<bool>();
}

std::vector<std::string> Job::texts(const char* key) const {
  const Json* value = find(key);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (!value->is_array()) refuse(key, value, "a list of strings");
  for (const Json& item : *value) {
    if (!item.is_string()) refuse(key, value, "a list of strings");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Placement Job::placement() const {
  const Placement placement{.device = parse_device(optional_text("device").value_or("cpu")),
                            .dtype = parse_dtype(optional_text("dtype").value_or("float32"))};
  require_device(placement.device);
  return placement;
}

const std::map<std::string, JobHandler>& job_handlers() {
  static const std::map<std::string, JobHandler> handlers{{"base.measure", run_base_measure},
                                                          {"base.train", run_base_train},
                                                          {"export.files", run_export_files},
                                                          {"merge.files", run_merge_files},
                                                          {"probe.component", run_probe_component},
                                                          {"probe.method", run_probe_method},
                                                          {"probe.picture", run_probe_picture},
                                                          {"probe.scheduler", run_probe_scheduler},
                                                          {"sample", run_sample}};
  return handlers;
}

}  // namespace atelier::worker
