#include "framework/store/ingest_parts.h"

#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/store/evaluations.h"

namespace atelier {
namespace {

Value integer(std::size_t value) { return static_cast<std::int64_t>(value); }

Value number(const Json& json) { return json.is_number() ? Value(json.get<double>()) : Value(); }

void ingest_runs(Database& database, const std::string& digest, const Json& manifest) {
  std::int64_t position = 0;
  for (const auto& run : list_member(manifest, "runs")) {
    database.run(
        "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {digest, text_of(text_member(run, "id")), position++, text_member(run, "method"), text_member(run, "concept"),
         integer_member(run, "seed"), integer_member(run, "checkpoint"), text_member(run, "preset"),
         text_member(run, "label"), json_member(run, "options"), json_member(run, "row")});
    for (const auto& key : list_member(run, "artifacts")) {
      if (!key.is_string()) continue;
      database.run("INSERT OR IGNORE INTO run_artifact VALUES (?, ?, ?)",
                   {digest, text_of(text_member(run, "id")), key.get<std::string>()});
    }
  }
}

void ingest_outputs(Database& database, const std::string& digest, const Json& job) {
  const Value id = integer_of(integer_member(job, "id"));
  std::int64_t position = 0;
  for (const auto& output : list_member(job, "outputs")) {
    const auto seeds = list_member(output, "seeds");
    const Value key = text_of(text_member(output, "key"));
    database.run("INSERT OR REPLACE INTO stage_output VALUES (?, ?, ?, ?, ?, ?, ?)",
                 {digest, id, position++, key, integer_member(output, "step"), text_member(output, "prompt_id"),
                  seeds.empty() ? Value() : integer(seeds.size())});
    for (const auto& name : evaluations_of(job, output)) {
      database.run("INSERT OR IGNORE INTO stage_evaluation VALUES (?, ?, ?, ?)", {digest, id, key, name});
    }
  }
}

void ingest_images(Database& database, const KeyRecord& record) {
  std::size_t k = 0;
  for (const auto& seed : list_member(record.description, "seeds")) {
    database.run("INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?)",
                 {record.key, integer(k++), text_member(record.description, "prompt"),
                  seed.is_number_integer() ? Value(seed.get<std::int64_t>()) : Value()});
  }
}

/// Another program's pictures: no seed leads to them.
void ingest_given_images(Database& database, const KeyRecord& record) {
  for (std::size_t k = 0; k < list_member(record.description, "images").size(); ++k) {
    database.run("INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?)",
                 {record.key, integer(k), text_member(record.description, "prompt"), Value()});
  }
}

void ingest_pairs(Database& database, const std::string& key, const Json& image) {
  const Value prompt = text_of(text_member(image, "prompt"));
  const Value k = integer_of(integer_member(image, "k"));
  for (const auto& [encoder, values] : object_member(image, "pair_scores").items()) {
    std::size_t reference = 0;
    if (!values.is_array()) continue;  // a picture that was not scored
    for (const auto& value : values) {
      database.run("INSERT OR REPLACE INTO pair_score VALUES (?, ?, ?, ?, ?, ?)",
                   {key, encoder, prompt, k, integer(reference++), number(value)});
    }
  }
  for (const auto& [encoder, value] : object_member(image, "text_scores").items()) {
    database.run("INSERT OR REPLACE INTO text_score VALUES (?, ?, ?, ?, ?)", {key, encoder, prompt, k, number(value)});
  }
}

void ingest_score(Database& database, const KeyRecord& record, const Json& table) {
  const auto& key = record.key;
  database.run("INSERT OR REPLACE INTO score VALUES (?, ?, ?, ?, ?)",
               {key, text_member(table, "protocol"), json_member(record.description, "protocol"),
                json_member(record.description, "encoders"), json_member(table, "references")});
  std::map<std::string, Value> roles;
  for (const auto& set : list_member(table, "sets")) {
    const Value prompt = text_of(text_member(set, "prompt"));
    roles[text_of(prompt)] = text_member(set, "role");
    for (const auto& [name, value] : object_member(set, "scores").items()) {
      database.run("INSERT OR REPLACE INTO set_score VALUES (?, ?, ?, ?, ?, ?)",
                   {key, prompt, name, text_member(set, "role"), text_member(set, "text"), number(value)});
    }
  }
  for (const auto& image : list_member(table, "images")) {
    const auto prompt = text_of(text_member(image, "prompt"));
    database.run("INSERT OR REPLACE INTO scored_image VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                 {key, prompt, integer_of(integer_member(image, "k")), roles[prompt], integer_member(image, "seed"),
                  text_member(image, "sha256"), text_member(image, "status"), real_member(image, "foreground")});
    ingest_pairs(database, key, image);
  }
  for (const auto& [name, value] : object_member(table, "anchors").items()) {
    database.run("INSERT OR REPLACE INTO anchor VALUES (?, ?, ?)", {key, name, number(value)});
  }
}

Json read_object(const Store& store, const std::string& digest) {
  const auto path = store.object_path(digest);
  const auto text = read_text_file(path, std::size_t{1} << 30);
  if (sha256_hex(text) == digest) return parse_json(text, path.string());
  throw Error({.where = path.string(),
               .found = "an object whose bytes do not fit its name",
               .expected = "the bytes that were published",
               .advice = "run `atelier verify`"});
}

/// One line about what went wrong: a worker writes the parts of its Error with their line, others the line alone.
Value error_text(const Json& event) {
  const Json& parts = object_member(event, "error");
  Value text = parts.empty() ? text_member(event, "error") : text_member(parts, "text");
  if (!parts.empty() && text_of(text).empty()) text = text_member(parts, "found");
  if (auto* line = std::get_if<std::string>(&text)) std::ranges::replace(*line, '\n', ' ');
  return text;
}

void ingest_attempt(Database& database, const Json& event) {
  const auto attempt = text_member(event, "attempt");
  database.run("INSERT OR IGNORE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               {attempt, text_member(event, "at"), text_member(event, "kind"), text_member(event, "host"),
                integer_member(event, "pid"), text_member(event, "device"), text_member(event, "dtype"),
                integer_member(event, "threads"), text_member(event, "torch"), text_member(event, "build")});
  for (const auto& key : list_member(event, "job_keys")) {
    if (!key.is_string()) continue;
    database.run("INSERT OR IGNORE INTO attempt_key VALUES (?, ?)", {key.get<std::string>(), attempt});
  }
}

}  // namespace

void forget_manifest(Database& database, const std::string& digest) {
  for (const char* table : {"study", "run", "run_artifact", "stage", "stage_output", "stage_evaluation", "stage_run"}) {
    database.run(std::string("DELETE FROM ") + table + " WHERE manifest = ?", {digest});
  }
}

void forget_record(Database& database, const std::string& key) {
  for (const char* table :
       {"artifact", "image", "score", "scored_image", "pair_score", "text_score", "set_score", "anchor"}) {
    database.run(std::string("DELETE FROM ") + table + " WHERE key = ?", {key});
  }
}

void ingest_manifest(Database& database, const std::string& digest, const Json& manifest) {
  database.run(
      "INSERT OR REPLACE INTO study VALUES (?, ?, ?, ?, ?, ?)",
      {digest, text_of(text_member(manifest, "study")), text_member(manifest, "yaml"),
       json_member(manifest, "overrides"), json_member(manifest, "protocols"), json_member(manifest, "tables")});
  ingest_runs(database, digest, manifest);
  for (const auto& job : list_member(manifest, "jobs")) {
    const Value id = integer_of(integer_member(job, "id"));
    database.run("INSERT OR REPLACE INTO stage VALUES (?, ?, ?, ?, ?)",
                 {digest, id, text_member(job, "kind"), json_member(job, "needs"), text_member(job, "base")});
    for (const auto& run : list_member(job, "runs")) {
      if (run.is_string())
        database.run("INSERT OR IGNORE INTO stage_run VALUES (?, ?, ?)", {digest, run.get<std::string>(), id});
    }
    ingest_outputs(database, digest, job);
  }
}

void ingest_event(Database& database, const Json& event) {
  const auto spool = text_member(event, "spool");
  const auto n = integer_member(event, "n");
  const auto at = text_member(event, "at");
  const auto attempt = text_member(event, "attempt");
  const auto type = text_of(text_member(event, "type"));
  if (type == "attempt" && !text_of(attempt).empty()) return ingest_attempt(database, event);
  if (type == "manifest") {
    database.run("INSERT OR IGNORE INTO study_use VALUES (?, ?, ?, ?)",
                 {spool, n, text_of(text_member(event, "manifest")), at});
  } else if (type == "attempt_end") {
    database.run("INSERT OR IGNORE INTO attempt_end VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                 {spool, n, text_of(attempt), at, text_member(event, "status"), text_member(event, "class"),
                  real_member(event, "seconds"), error_text(event)});
  } else if (type == "published") {
    database.run(
        "INSERT OR IGNORE INTO published VALUES (?, ?, ?, ?, ?, ?, ?)",
        {spool, n, attempt, text_member(event, "key"), text_member(event, "object"), text_member(event, "kind"), at});
  } else {
    const Value text = event.contains("text") ? text_member(event, "text") : Value(event.dump());
    database.run("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?, ?)",
                 {spool, n, at, type, attempt, text_member(event, "level"), text});
  }
}

void ingest_record(Database& database, const Store& store, const KeyRecord& record) {
  const auto kind = text_of(text_member(record.description, "kind"));
  const Json table = kind == "score" ? read_object(store, record.object) : Json();
  forget_record(database, record.key);
  const Json& summary = record.summary;
  database.run(
      "INSERT OR REPLACE INTO artifact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {record.key, kind, record.object, record.description.dump(), summary.dump(), Json(record.divergent).dump(),
       text_member(summary, "losses"), real_member(summary, "final_loss"), real_member(summary, "seconds"),
       integer_member(summary, "trained_parameters"), integer_member(summary, "bytes")});
  if (kind == "sample") ingest_images(database, record);
  if (kind == "given") ingest_given_images(database, record);
  if (kind == "score") ingest_score(database, record, table);
}

}  // namespace atelier
