#include "framework/store/schema.h"

#include <fmt/format.h>

namespace atelier {
namespace {

// Keys are natural, so that the order of ingesting leaves no trace. Facts are only added; status is a view.
constexpr const char* kPlanTables = R"sql(
CREATE TABLE study (manifest TEXT PRIMARY KEY, study TEXT NOT NULL, yaml TEXT, overrides TEXT, protocols TEXT, tables TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE study_use (spool TEXT, n INTEGER, manifest TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (spool, n)) STRICT, WITHOUT ROWID;
CREATE TABLE run (manifest TEXT, run TEXT, position INTEGER NOT NULL, method TEXT, concept TEXT, seed INTEGER, checkpoint INTEGER,
  preset TEXT, label TEXT, options TEXT, row TEXT, PRIMARY KEY (manifest, run)) STRICT, WITHOUT ROWID;
CREATE TABLE run_artifact (manifest TEXT, run TEXT, key TEXT, PRIMARY KEY (manifest, run, key)) STRICT, WITHOUT ROWID;
CREATE TABLE stage (manifest TEXT, job INTEGER, kind TEXT, needs TEXT, base TEXT, PRIMARY KEY (manifest, job)) STRICT, WITHOUT ROWID;
CREATE TABLE stage_output (manifest TEXT, job INTEGER, position INTEGER, key TEXT NOT NULL, step INTEGER, prompt TEXT,
  expected_images INTEGER, PRIMARY KEY (manifest, job, position)) STRICT, WITHOUT ROWID;
CREATE INDEX stage_output_key ON stage_output (key);
CREATE TABLE stage_evaluation (manifest TEXT, job INTEGER, key TEXT, evaluation TEXT, PRIMARY KEY (manifest, job, key, evaluation)) STRICT, WITHOUT ROWID;
CREATE TABLE stage_run (manifest TEXT, run TEXT, job INTEGER, PRIMARY KEY (manifest, run, job)) STRICT, WITHOUT ROWID;
CREATE INDEX stage_run_job ON stage_run (manifest, job);
)sql";

constexpr const char* kFactTables = R"sql(
CREATE TABLE attempt (attempt TEXT PRIMARY KEY, at TEXT NOT NULL, kind TEXT, host TEXT, pid INTEGER, device TEXT, dtype TEXT,
  threads INTEGER, torch TEXT, build TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE attempt_key (key TEXT, attempt TEXT, PRIMARY KEY (key, attempt)) STRICT, WITHOUT ROWID;
CREATE TABLE attempt_end (spool TEXT, n INTEGER, attempt TEXT NOT NULL, at TEXT NOT NULL, status TEXT, class TEXT, seconds REAL,
  error TEXT, PRIMARY KEY (spool, n)) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_end_attempt ON attempt_end (attempt);
CREATE TABLE published (spool TEXT, n INTEGER, attempt TEXT, key TEXT, object TEXT, kind TEXT, at TEXT NOT NULL, PRIMARY KEY (spool, n)) STRICT, WITHOUT ROWID;
CREATE TABLE event (spool TEXT, n INTEGER, at TEXT NOT NULL, type TEXT, attempt TEXT, level TEXT, text TEXT, PRIMARY KEY (spool, n)) STRICT, WITHOUT ROWID;
CREATE INDEX event_attempt ON event (attempt);
CREATE TABLE artifact (key TEXT PRIMARY KEY, kind TEXT, object TEXT NOT NULL, description TEXT, summary TEXT, divergent TEXT,
  losses TEXT, final_loss REAL, seconds REAL, trained_parameters INTEGER, bytes INTEGER) STRICT, WITHOUT ROWID;
CREATE VIEW loss AS SELECT key, losses, final_loss, seconds, trained_parameters, bytes FROM artifact WHERE kind = 'train';
CREATE TABLE image (key TEXT, k INTEGER, prompt TEXT, seed INTEGER, PRIMARY KEY (key, k)) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kScoreTables = R"sql(
CREATE TABLE score (key TEXT PRIMARY KEY, protocol TEXT, settings TEXT, encoders TEXT, refs TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE scored_image (key TEXT, prompt TEXT, k INTEGER, role TEXT, seed INTEGER, sha256 TEXT, status TEXT,
  foreground REAL, PRIMARY KEY (key, prompt, k)) STRICT, WITHOUT ROWID;
CREATE TABLE pair_score (key TEXT, encoder TEXT, prompt TEXT, k INTEGER, ref INTEGER, value REAL, PRIMARY KEY (key, encoder, prompt, k, ref)) STRICT, WITHOUT ROWID;
CREATE TABLE text_score (key TEXT, encoder TEXT, prompt TEXT, k INTEGER, value REAL, PRIMARY KEY (key, encoder, prompt, k)) STRICT, WITHOUT ROWID;
CREATE TABLE set_score (key TEXT, prompt TEXT, name TEXT, role TEXT, text TEXT, value REAL, PRIMARY KEY (key, prompt, name)) STRICT, WITHOUT ROWID;
CREATE TABLE anchor (key TEXT, name TEXT, value REAL, PRIMARY KEY (key, name)) STRICT, WITHOUT ROWID;
)sql";

// A job is done when all its keys are there, else failed when the last attempt at one of its keys failed.
constexpr const char* kViews = R"sql(
CREATE TABLE ingested_spool (spool TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE ingested_key (key TEXT PRIMARY KEY, inode INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE damage (place TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIEW last_end AS SELECT attempt, status, class, seconds, error, max(at || spool || n) AS latest, at FROM attempt_end GROUP BY attempt;
CREATE VIEW last_attempt AS SELECT k.key AS key, a.attempt AS attempt, max(a.at || a.attempt) AS latest
  FROM attempt_key k JOIN attempt a USING (attempt) GROUP BY k.key;
CREATE VIEW job_status AS SELECT s.manifest AS manifest, s.job AS job, s.kind AS kind,
  CASE WHEN NOT EXISTS (SELECT 1 FROM stage_output o LEFT JOIN artifact a ON a.key = o.key WHERE o.manifest = s.manifest AND o.job = s.job AND a.key IS NULL)
       THEN 'done'
       WHEN EXISTS (SELECT 1 FROM stage_output o JOIN last_attempt l ON l.key = o.key JOIN last_end e ON e.attempt = l.attempt
                    WHERE o.manifest = s.manifest AND o.job = s.job AND e.status = 'failed') THEN 'failed'
       ELSE 'pending' END AS status
  FROM stage s;
)sql";

}  // namespace

void create_schema(Database& database) {
  for (const char* part : {kPlanTables, kFactTables, kScoreTables, kViews}) database.script(part);
  database.script(
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kIndexApplication, kIndexVersion));
}

bool has_schema(Database& database) {
  return integer_of(database.run("PRAGMA application_id").at(0).at(0)) == kIndexApplication &&
         integer_of(database.run("PRAGMA user_version").at(0).at(0)) == kIndexVersion;
}

bool is_empty(Database& database) { return integer_of(database.run("SELECT count(*) FROM sqlite_master")[0][0]) == 0; }

}  // namespace atelier
