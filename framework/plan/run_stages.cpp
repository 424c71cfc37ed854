#include "framework/plan/run_stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/keys.h"
#include "framework/store/evaluations.h"
#include "framework/store/manifest_parts.h"

namespace atelier {
namespace {

bool serves(const Json& job, const std::string& run) {
  const Json& runs = job.at("runs");
  return std::ranges::find(runs, Json(run)) != runs.end();
}

std::string place_of(const Json& job, const Json& output, const Json& description) {
  std::string place = job.at("kind").get<std::string>();
  if (place == "train") place += " " + description.value("stage", "");
  if (output.contains("step")) place += " step " + output.at("step").dump();
  if (output.contains("prompt_id")) place += " " + output.value("prompt_id", "");
  return place;
}

void add_output(std::map<std::string, RunStage>& stages, const Json& manifest, const Json& job, const Json& output) {
  const RunStage stage{output.at("key").get<std::string>(), description_of(manifest, output),
                       job.at("id").get<std::int64_t>()};
  const std::string kind = job.at("kind").get<std::string>();
  std::string place = place_of(job, output, stage.description);
  const auto evaluations = evaluations_of(job, output);
  if (kind == "score") {
    for (const auto& evaluation : evaluations) stages[place + " " + evaluation] = stage;
    return;
  }
  // One prompt's pictures may be there twice, for evaluations that want them otherwise.
  if ((kind == "sample" || kind == "given" || kind == "mask") && stages.contains(place))
    place += " for " + join(evaluations);
  // A merge of two LoRAs that the same stage trains: the subject's comes first.
  if (kind == "train" && stages.contains(place)) place += " of the style";
  stages[place] = stage;
}

/// The descriptions behind keys of the index that `where` selects.
std::vector<StoredKey> stored(Index& index, const std::string& where, const Row& parameters) {
  std::vector<StoredKey> found;
  for (const Row& row : index.query("SELECT a.key, a.description FROM artifact a WHERE " + where, parameters))
    found.push_back({atelier::text_of(row.at(0)), parse_json(atelier::text_of(row.at(1)), "index: artifact")});
  return found;
}

Value integer_or_null(const Json& value) {
  return value.is_number_integer() ? Value(value.get<std::int64_t>()) : Value();
}

std::vector<StoredKey> of_the_cell(Index& index, const std::string& kind, const Json& run) {
  constexpr const char* kCell =
      "a.kind = ?1 AND a.key IN (SELECT o.key FROM run r JOIN stage_run s USING (manifest, run)"
      " JOIN stage_output o USING (manifest, job) WHERE r.method = ?2 AND r.concept = ?3 AND r.seed IS ?4)";
  return stored(
      index, kCell,
      {kind, run.value("method", ""), run.value("concept", ""), integer_or_null(member_or_null(run, "seed"))});
}

/// Of that kind, of the same method, stage or protocol where there is one.
std::vector<StoredKey> of_the_kind(Index& index, const std::string& kind, const Json& description) {
  const auto text = [&](const char* name) -> Value {
    const Json& member = member_or_null(description, name);
    return member.is_string() ? Value(member.get<std::string>()) : Value();
  };
  return stored(index,
                "a.kind = ?1 AND json_extract(a.description, '$.method') IS ?2"
                " AND json_extract(a.description, '$.stage') IS ?3",
                {kind, text("method"), text("stage")});
}

/// Parts of the stage's identity weigh more than what was chosen: another step or prompt is another thing.
std::size_t distance(const Json& a, const Json& b) {
  std::size_t sum = 0;
  for (const Json& entry : explain_difference(a, b)) {
    const std::string path = entry.at("path").get<std::string>();
    const bool identity = path == "stage" || path == "step" || path == "prompt" || path == "method" || path == "seed" ||
                          path.starts_with("seeds") || path == "protocol.id";
    sum += identity ? 100 : 1;
  }
  return sum;
}

}  // namespace

std::map<std::string, RunStage> run_stages(const Json& manifest, const std::string& run) {
  std::map<std::string, RunStage> stages;
  for (const Json& job : manifest.at("jobs")) {
    if (!serves(job, run)) continue;
    for (const Json& output : job.at("outputs")) add_output(stages, manifest, job, output);
  }
  return stages;
}

std::string places_text(const std::vector<std::string>& places) {
  constexpr std::size_t kShown = 6;
  std::vector<std::string> kinds;
  std::map<std::string, std::size_t> pictures;
  for (const auto& place : places) {
    const bool counted = place.starts_with("sample ") || place.starts_with("given ") || place.starts_with("mask ");
    if (counted) {
      ++pictures[place.substr(0, place.find(' '))];
    } else {
      kinds.push_back(place);
    }
  }
  for (const auto& [kind, count] : pictures) kinds.push_back(fmt::format("{} ({})", kind, count));
  return join(kinds, ", ", kShown);
}

const Json& manifest_run(const Json& manifest, const std::string& run) {
  for (const Json& each : manifest.at("runs")) {
    if (each.at("id") == run) return each;
  }
  throw Error({.where = "run " + run, .found = "no such run in the study", .expected = "an id that `plan` prints"},
              ErrorKind::usage);
}

std::optional<StoredKey> nearest_stored(Index& index, const Json& description, const Json& run) {
  const std::string kind = description.value("kind", "");
  auto candidates = of_the_cell(index, kind, run);
  if (candidates.empty()) candidates = of_the_kind(index, kind, description);
  std::optional<StoredKey> best;
  std::size_t least = 0;
  for (auto& candidate : candidates) {  // in the order of the keys: of equals the first
    const std::size_t differences = distance(candidate.description, description);
    if (best && differences >= least) continue;
    least = differences;
    best = std::move(candidate);
  }
  return best;
}

}  // namespace atelier
