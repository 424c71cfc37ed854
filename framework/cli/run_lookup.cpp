#include "framework/cli/run_lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier::cli {
namespace {

[[noreturn]] void refuse(const std::string& id, const std::set<std::string>& found) {
  const std::vector<std::string> names(found.begin(), found.end());
  throw Error({.where = "run " + id,
               .found = names.empty() ? "no run of this id" : "several: " + join(names, ", ", 5),
               .expected = "the first letters of one run's id",
               .advice = "`atelier status STUDY` lists them"},
              ErrorKind::usage);
}

bool is_id(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

FoundRun find_run(Index& index, const std::string& id) {
  std::set<std::string> ids;
  if (is_id(id)) {
    for (const Row& row : index.query("SELECT DISTINCT run FROM run WHERE substr(run, 1, ?1) = ?2",
                                      {static_cast<std::int64_t>(id.size()), id})) {
      ids.insert(text_of(row.at(0)));
    }
  }
  if (ids.size() != 1) refuse(id, ids);
  for (const StudyInfo& study : studies(index)) {
    for (RunInfo& run : runs_of(index, study.manifest)) {
      if (run.run == *ids.begin()) return {study.study, study.manifest, std::move(run)};
    }
  }
  refuse(id, {});
}

}  // namespace atelier::cli
