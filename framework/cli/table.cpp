#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/margins.h"
#include "framework/cli/options.h"
#include "framework/cli/published.h"
#include "framework/cli/store_option.h"
#include "framework/core/error.h"
#include "framework/store/queries.h"
#include "reports/by_concept.h"
#include "reports/fixed_losses.h"
#include "reports/published.h"
#include "reports/study_tables.h"
#include "reports/table.h"

namespace atelier::cli {
namespace {

struct TableOptions {
  std::string study, store, as = "md", table, compare, by_concept;
  std::vector<std::string> rows, columns, margins, published;
  bool losses = false, standalone = false, costs = false, tradeoff = false;
};

/// The study's own table of that name, else its only one, with what the command line says instead.
reports::TableRequest request_of(Index& index, const std::string& manifest, const TableOptions& options) {
  auto request = reports::study_request(index, manifest, options.table);
  request.study = options.study;
  if (!options.rows.empty()) request.rows = options.rows;
  if (!options.columns.empty()) request.columns = options.columns;
  if (!options.compare.empty()) request.compare_to = options.compare;
  if (!options.margins.empty()) request.margins = read_margins(options.margins);
  request.costs = options.costs;
  request.tradeoff = options.tradeoff;
  request.published = read_published(options.published);
  return request;
}

/// The loss on fixed pictures, timesteps and noise, before and after each training stage: means over the trainings.
int print_losses(Index& index, const std::string& manifest) {
  const auto stages = reports::fixed_losses(index, manifest);
  if (stages.empty()) {
    throw Error({.where = "table --losses",
                 .found = "no training measured its loss on fixed photos",
                 .expected = "a study with `fixed_loss: 8` (timesteps and noises for each photo)",
                 .advice = "trainings that are done are not measured again: add it before they run"},
                ErrorKind::usage);
  }
  fmt::print("| stage | loss before | loss after | lowered |\n| --- | --- | --- | --- |\n");
  for (const auto& stage : stages) {
    fmt::print("| {} | {:.4f} | {:.4f} | {} of {} |\n", stage.stage, stage.before, stage.after, stage.lowered,
               stage.trainings);
  }
  return 0;
}

int print_table(const TableOptions& options) {
  if (options.standalone && options.as != "tex") {
    throw Error({.where = "table --standalone",
                 .found = "--as " + options.as,
                 .expected = "--as tex",
                 .advice = "`atelier report` makes a whole page"},
                ErrorKind::usage);
  }
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
  } else if (options.as == "tex") {
    fmt::print("{}", reports::to_tex(table, options.standalone));
  } else if (options.as == "html") {
    fmt::print("{}", reports::to_html(table));
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
  one_of(app->add_option("--as", options->as, "form of the output")->capture_default_str(),
         {"md", "csv", "json", "tex", "html"});
  app->add_option("--table", options->table, "a table that the study names")->type_name("NAME");
  app->add_option("--rows", options->rows, "what makes a row: method, seed, an option …")
      ->allow_extra_args(false)
      ->type_name("AXIS");
  app->add_option("--columns", options->columns, "<evaluation>.<score>, e.g. ti_code.clip_i; may be repeated")
      ->allow_extra_args(false)
      ->type_name("COLUMN");
  app->add_option("--compare", options->compare, "row that the others are compared with")->type_name("ROW");
  app->add_option("--margin", options->margins,
                  "SCORE=X: a difference whose interval lies within X is called equivalent; may be repeated")
      ->allow_extra_args(false)
      ->type_name("SCORE=X");
  app->add_option("--published", options->published,
                  "a paper's numbers beside ours: an id such as core_t1, or a file; may be repeated")
      ->allow_extra_args(false)
      ->type_name("ID|FILE.yaml");
  app->add_flag("--tradeoff", options->tradeoff, "add what identity and text come to together");
  app->add_flag("--costs", options->costs, "add minutes of training, peak memory, trained parameters and bytes");
  app->add_option(
         "--by-concept", options->by_concept,
         "instead: in how many concepts each row is above or below ROW by more than two standard errors over seeds")
      ->type_name("ROW");
  app->add_flag("--losses", options->losses,
                "instead: the loss on fixed pictures, timesteps and noise, before and after");
  app->add_flag("--standalone", options->standalone, "with --as tex: a whole document, not only the table");
  add_store(*app, options->store);
  app->footer(
      "Examples:\n  atelier table demo\n  atelier table demo --as csv\n  atelier table demo --as tex --standalone > "
      "demo.tex\n  atelier table demo --losses\n");
  app->callback([options, &action] { action = [options] { return print_table(*options); }; });
}

}  // namespace atelier::cli
