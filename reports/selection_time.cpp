#include "reports/selection_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace atelier::reports {
namespace {

bool holds(const std::string& tables, const Selection& selection) {
  if (tables.empty()) return false;
  const Json json = parse_json(tables, "the index");
  return std::ranges::any_of(json, [&](const Json& table) {
    return selection_from(member_or_null(table, "select")) == std::optional(selection);
  });
}

/// The study may have been planned again since, with another table or margin.
std::string stored_at(Index& index, const std::string& manifest, const Selection& selection) {
  for (const auto& row : index.query("SELECT min(u.at), s.tables FROM study s JOIN study_use u USING (manifest) WHERE "
                                     "s.study = (SELECT study FROM "
                                     "study WHERE manifest = ?) GROUP BY s.manifest ORDER BY 1",
                                     {manifest})) {
    if (holds(text_of(row[1]), selection)) return text_of(row[0]);
  }
  return "";
}

}  // namespace

std::optional<SelectionTime> selection_time(Index& index, const std::string& manifest, const Selection& selection) {
  SelectionTime time{.stored = stored_at(index, manifest, selection), .first_picture = {}};
  if (time.stored.empty()) return std::nullopt;
  for (const auto& row : index.query(
           "SELECT r.concept, min(p.at) FROM run r JOIN stage_run u USING (manifest, run) JOIN stage s USING "
           "(manifest, "
           "job) JOIN stage_output o USING (manifest, job) JOIN published p ON p.key = o.key WHERE r.manifest = ? AND "
           "s.kind = 'sample' AND r.method NOT LIKE 'anchor:%' GROUP BY o.key, r.concept",
           {manifest})) {
    if (selection.development.contains(text_of(row[0]))) continue;
    const auto at = text_of(row[1]);
    if (time.first_picture.empty() || at < time.first_picture) time.first_picture = at;
    if (at < time.stored) ++time.before;
  }
  return time;
}

std::string sentence_of(const SelectionTime& time) {
  if (time.before > 0) {
    return fmt::format(
        "The rule was stored at {}, when pictures of test concepts were there already ({} sets of them, the first from "
        "{}).",
        time.stored, time.before, time.first_picture);
  }
  if (time.first_picture.empty())
    return fmt::format("The rule was stored at {}; no test concept has pictures yet.", time.stored);
  return fmt::format("The rule was stored at {}, before the first picture of a test concept ({}).", time.stored,
                     time.first_picture);
}

}  // namespace atelier::reports
