#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/store_option.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/store/queries.h"
#include "reports/by_concept.h"
#include "reports/table.h"

namespace atelier::cli {
namespace {

struct TableOptions {
  std::string study, store, as = "md", table, compare, by_concept;
  std::vector<std::string> rows, columns;
  bool losses = false;
};

/// The study's own table of that name; without a name its only one, or the default one.
reports::TableRequest request_of(Index& index, const std::string& manifest, const TableOptions& options) {
  reports::TableRequest request{.study = options.study,
                                .rows = options.rows,
                                .columns = options.columns,
                                .over = {},
                                .compare_to = options.compare};
  const auto rows = index.query("SELECT tables FROM study WHERE manifest = ?1", {manifest});
  const std::string text = rows.empty() ? "" : text_of(rows.front().at(0));
  const Json tables = text.empty() ? Json::object() : parse_json(text, "index");
  const bool only = options.table.empty() && tables.size() == 1;
  const std::string name = only ? tables.begin().key() : options.table;
  if (!name.empty() && !tables.contains(name)) {
    std::vector<std::string> names;
    for (const auto& [known, unused] : tables.items()) names.push_back(known);
    throw Error({.where = "--table",
                 .found = name,
                 .expected = names.empty() ? "a study that names tables" : "one of " + join(names)},
                ErrorKind::usage);
  }
  if (name.empty()) return request;
  const Json& chosen = tables.at(name);
  if (request.rows.empty()) request.rows = chosen.at("rows").get<std::vector<std::string>>();
  if (request.columns.empty()) request.columns = chosen.at("columns").get<std::vector<std::string>>();
  request.over = chosen.at("over").get<std::vector<std::string>>();
  if (request.compare_to.empty()) request.compare_to = chosen.at("compare_to").get<std::string>();
  return request;
}

/// Fixed evaluation losses of a stage over its trainings.
struct StageLoss {
  double before = 0, after = 0;
  std::int64_t trainings = 0, lowered = 0;
};

/// The loss on fixed pictures, timesteps and noise, before and after each training stage: means over the trainings.
int print_losses(Index& index, const std::string& manifest) {
  std::map<std::string, StageLoss> stages;
  const auto rows = index.query(
      "SELECT a.description, a.summary FROM stage s JOIN stage_output o USING (manifest, job) JOIN artifact a ON a.key "
      "= o.key "
      "WHERE s.manifest = ?1 AND s.kind = 'train' AND o.step > 0 ORDER BY s.job, o.position",
      {manifest});
  for (const Row& row : rows) {
    const Json description = parse_json(text_of(row.at(0)), "index"), summary = parse_json(text_of(row.at(1)), "index");
    const auto before = summary.find("eval_loss_before"), after = summary.find("eval_loss_after");
    if (before == summary.end() || after == summary.end() || !before->is_number() || !after->is_number()) continue;
    StageLoss& stage = stages[fmt::format("{} {} step {}", description.value("method", ""),
                                          description.value("stage", ""), description.at("step").dump())];
    stage.before += before->get<double>();
    stage.after += after->get<double>();
    ++stage.trainings;
    if (after->get<double>() < before->get<double>()) ++stage.lowered;
  }
  if (stages.empty()) {
    throw Error({.where = "table --losses",
                 .found = "no training measured its loss on fixed photos",
                 .expected = "a study with `fixed_loss: 8` (timesteps and noises for each photo)",
                 .advice = "trainings that are done are not measured again: add it before they run"},
                ErrorKind::usage);
  }
  fmt::print("| stage | loss before | loss after | lowered |\n| --- | --- | --- | --- |\n");
  for (const auto& [name, stage] : stages) {
    const auto n = static_cast<double>(stage.trainings);
    fmt::print("| {} | {:.4f} | {:.4f} | {} of {} |\n", name, stage.before / n, stage.after / n, stage.lowered,
               stage.trainings);
  }
  return 0;
}

int print_table(const TableOptions& options) {
  const auto index = open_index(open_store(options.store));
  const std::string manifest = current_manifest(*index, options.study);
  if (options.losses) return print_losses(*index, manifest);
  const reports::Table table = reports::make_table(*index, manifest, request_of(*index, manifest, options));
  if (!options.by_concept.empty()) {
    fmt::print("{}", reports::to_markdown(reports::by_concept(table, options.by_concept)));
  } else if (options.as == "csv") {
    fmt::print("{}", reports::to_csv(table));
  } else if (options.as == "json") {
    fmt::print("{}", pretty_json(reports::to_json(table)));
  } else {
    fmt::print("{}", reports::to_markdown(table));
  }
  return 0;
}

}  // namespace

void add_table(CLI::App& parent, Action& action) {
  CLI::App* app =
      parent.add_subcommand("table", "A study's scores as a table: means over concepts, holes and failures shown");
  const auto options = std::make_shared<TableOptions>();
  app->add_option("study", options->study, "the study's name")->required()->type_name("STUDY");
  one_of(app->add_option("--as", options->as, "form of the output")->capture_default_str(), {"md", "csv", "json"});
  app->add_option("--table", options->table, "a table that the study names")->type_name("NAME");
  app->add_option("--rows", options->rows, "what makes a row: method, seed, an option …")
      ->allow_extra_args(false)
      ->type_name("AXIS");
  app->add_option("--columns", options->columns, "<evaluation>.<score>, e.g. ti_code.clip_i; may be repeated")
      ->allow_extra_args(false)
      ->type_name("COLUMN");
  app->add_option("--compare", options->compare, "row that the others are compared with")->type_name("ROW");
  app->add_option(
         "--by-concept", options->by_concept,
         "instead: in how many concepts each row is above or below ROW by more than two standard errors over seeds")
      ->type_name("ROW");
  app->add_flag("--losses", options->losses,
                "instead: the loss on fixed pictures, timesteps and noise, before and after");
  add_store(*app, options->store);
  app->footer("Examples:\n  atelier table demo\n  atelier table demo --as csv\n  atelier table demo --losses\n");
  app->callback([options, &action] { action = [options] { return print_table(*options); }; });
}

}  // namespace atelier::cli
