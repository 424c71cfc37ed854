#include "framework/cli/failure_summary.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/execute/failure.h"

namespace atelier::cli {
namespace {

/// Failures of one cause, in the order in which they came.
struct Alike {
  std::vector<const FailureInfo*> failures;
  [[nodiscard]] const FailureInfo& first() const { return *failures.front(); }
  [[nodiscard]] std::size_t runs() const {
    std::set<std::string> all;
    for (const auto* failure : failures) all.insert(failure->runs.begin(), failure->runs.end());
    return all.size();
  }
};

/// By class, then by what they have in common.
std::map<std::string, std::map<std::string, Alike>> classes_of(const std::vector<FailureInfo>& failures) {
  std::map<std::string, std::map<std::string, Alike>> classes;
  for (const auto& failure : failures) {
    const auto fingerprint = failure_fingerprint(failure.failure_class, failure.kind, failure.error);
    classes[failure.failure_class][fingerprint].failures.push_back(&failure);
  }
  return classes;
}

std::string plural(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

void print_failure_summary(std::FILE* file, const std::vector<FailureInfo>& failures) {
  for (const auto& [name, causes] : classes_of(failures)) {
    fmt::print(file, "failed ({}): {}\n", name, failure_advice(name));
    for (const auto& [unused, alike] : causes) {
      const auto& first = alike.first();
      fmt::print(file, "  {} {} of {}, e.g. run {}: {}\n", first.kind, plural(alike.failures.size(), "job"),
                 plural(alike.runs(), "run"), first.runs.empty() ? "-" : first.runs.front(), first.error);
      if (!first.runs.empty()) fmt::print(file, "    more: atelier logs {}\n", first.runs.front());
    }
  }
}

Json failure_summary(const std::vector<FailureInfo>& failures) {
  Json summary = Json::array();
  for (const auto& [name, causes] : classes_of(failures)) {
    for (const auto& [unused, alike] : causes) {
      const auto& first = alike.first();
      const std::string example = first.runs.empty() ? "" : first.runs.front();
      summary.push_back({{"class", name},
                         {"kind", first.kind},
                         {"jobs", alike.failures.size()},
                         {"runs", alike.runs()},
                         {"error", first.error},
                         {"example", example},
                         {"more", example.empty() ? "" : "atelier logs " + example}});
    }
  }
  return summary;
}

}  // namespace atelier::cli
