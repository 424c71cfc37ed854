#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/run_lookup.h"
#include "framework/cli/store_option.h"
#include "framework/cli/study_file.h"
#include "framework/cli/why_cell.h"
#include "framework/cli/why_origin.h"
#include "framework/cli/why_run.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/encode.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

struct WhyOptions {
  std::string target, store, study, table;
  std::vector<std::string> overrides;
  bool json = false;
};

bool is_hexadecimal(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The key that a picture of ours carries.
std::string key_of_picture(const fs::path& file) {
  for (const auto& chunk : read_png_text(file)) {
    if (chunk.key == "key") return chunk.text;
  }
  throw Error({.where = file.string(),
               .found = "no key in the picture",
               .expected = "a picture that `atelier export --images` wrote",
               .advice = "name the key that `atelier show RUN` lists"},
              ErrorKind::usage);
}

/// The keys of the manifest, with the run that comes first.
struct PlannedKey {
  std::string key, run;
};
std::vector<PlannedKey> keys_beginning(const Json& manifest, const std::string& start) {
  std::vector<PlannedKey> found;
  for (const Json& job : manifest.at("jobs")) {
    for (const Json& output : job.at("outputs")) {
      const auto key = output.at("key").get<std::string>();
      if (key.starts_with(start) && !job.at("runs").empty())
        found.push_back({key, job.at("runs").front().get<std::string>()});
    }
  }
  return found;
}

std::vector<std::string> runs_beginning(const Json& manifest, const std::string& start) {
  std::vector<std::string> found;
  for (const Json& run : manifest.at("runs")) {
    if (run.at("id").get_ref<const std::string&>().starts_with(start)) found.push_back(run.at("id").get<std::string>());
  }
  return found;
}

[[noreturn]] void refuse(const std::string& target, std::vector<std::string> found) {
  throw Error({.where = "why " + target,
               .found = found.empty() ? "neither a run nor a key that begins so" : "several: " + join(found, ", ", 5),
               .expected = "the first letters of one run's id or key, STUDY/ROW/COLUMN, or a picture",
               .advice = "`atelier status STUDY` lists runs, `atelier show RUN` keys; a study that was not run yet is "
                         "named with --study FILE.yaml"},
              ErrorKind::usage);
}

int print(const Json& answer, bool json, void (*text)(const Json&)) {
  json ? fmt::print("{}", pretty_json(answer)) : text(answer);
  return 0;
}

class Question {
 public:
  explicit Question(const WhyOptions& options)
      : options_(options), store_(open_store(options.store)), index_(open_index(store_)) {}

  int answer() {
    if (fs::is_regular_file(options_.target)) return origin(key_of_picture(options_.target));
    if (const auto cell = parse_cell(options_.target))
      return print(cell_origin(*index_, *cell, options_.table), options_.json, print_cell);
    if (!is_hexadecimal(options_.target)) refuse(options_.target, {});
    return options_.study.empty() ? of_stored() : of_planned();
  }

 private:
  int origin(const std::string& key) {
    std::set<std::string> told;
    return print(origin_of(store_, *index_, key, told), options_.json, [](const Json& each) { print_origin(each); });
  }

  int reasons(const Json& manifest, const std::string& run, const std::string& only = {}) {
    return print(run_reasons(store_, *index_, manifest, run, only), options_.json, print_reasons);
  }

  /// In a study that is only planned.
  int of_planned() {
    const Json manifest =
        plan_study({.file = options_.study, .overrides = options_.overrides, .store = options_.store});
    const auto runs = runs_beginning(manifest, options_.target);
    if (runs.size() == 1) return reasons(manifest, runs.front());
    const auto keys = keys_beginning(manifest, options_.target);
    if (keys.size() == 1 && runs.empty())
      return store_.has(keys.front().key) ? origin(keys.front().key)
                                          : reasons(manifest, keys.front().run, keys.front().key);
    auto found = runs;
    for (const auto& each : keys) found.push_back(each.key);
    refuse(options_.target, found);
  }

  int of_stored() {
    const Row start{static_cast<std::int64_t>(options_.target.size()), options_.target};
    std::vector<std::string> found;
    for (const char* sql : {"SELECT DISTINCT run FROM run WHERE substr(run, 1, ?1) = ?2",
                            "SELECT key FROM artifact WHERE substr(key, 1, ?1) = ?2 UNION SELECT key FROM stage_output"
                            " WHERE substr(key, 1, ?1) = ?2"}) {
      for (const Row& row : index_->query(sql, start)) found.push_back(text_of(row.at(0)));
      if (!found.empty()) break;
    }
    if (found.size() != 1) refuse(options_.target, found);
    return found.front().size() == 64 ? stored_key(found.front()) : stored_run(found.front());
  }

  int stored_run(const std::string& id) {
    const FoundRun run = find_run(*index_, id);
    return reasons(store_.manifest(run.manifest), run.info.run);
  }

  int stored_key(const std::string& key) {
    if (store_.has(key)) return origin(key);
    const auto rows = index_->query(
        "SELECT o.manifest, r.run FROM stage_output o JOIN stage_run r USING (manifest, job) WHERE o.key = ? LIMIT 1",
        {key});
    if (rows.empty()) refuse(options_.target, {});
    return reasons(store_.manifest(text_of(rows[0][0])), text_of(rows[0][1]), key);
  }

  const WhyOptions& options_;
  const Store store_;
  std::unique_ptr<Index> index_;
};

}  // namespace

void add_why(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("why", "Where something came from, or why it would be made again");
  const auto options = std::make_shared<WhyOptions>();
  app->add_option("target", options->target,
                  "the first letters of a run's id or of a key, a cell of a table as STUDY/ROW/COLUMN, or a picture")
      ->required()
      ->type_name("RUN|KEY|CELL|IMAGE");
  existing_file(app->add_option("--study", options->study, "a study that was not run yet, for its runs and keys"));
  app->add_option("--set", options->overrides, "with --study: an override of the file")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  app->add_option("--table", options->table, "for a cell: a table that the study names")->type_name("NAME");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON");
  app->footer(
      "Examples:\n  atelier why 616907\n  atelier why 616907 --study study.yaml\n  atelier why "
      "demo/textreg/ti_code.clip_i\n  atelier why out/pictures/textreg/cat/seed0/ti_edit_0/000.png");
  app->callback([options, &action] { action = [options] { return Question(*options).answer(); }; });
}

}  // namespace atelier::cli
