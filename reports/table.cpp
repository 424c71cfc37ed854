#include "reports/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "reports/caption.h"
#include "reports/facts.h"
#include "reports/scores.h"
#include "reports/selection_time.h"
#include "reports/side_tables.h"
#include "reports/table_rows.h"
#include "reports/tradeoff_tables.h"

namespace atelier::reports {
namespace {

std::optional<double> root_of_product(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b && *a >= 0 && *b >= 0 ? std::optional(std::sqrt(*a * *b)) : std::nullopt;
}

/// sqrt(a·b) of the two means at every level (evaluation.md 3: not a mean of roots), so without a standard error.
Cell geometric_mean(const Cell& a, const Cell& b) {
  Cell cell = a;
  cell.failed = a.failed || b.failed;
  cell.dropped = std::max(a.dropped, b.dropped);
  cell.concepts = std::min(a.concepts, b.concepts);
  cell.runs = std::min(a.runs, b.runs);
  cell.mean = root_of_product(a.mean, b.mean);
  cell.se.reset();
  cell.variance.reset();
  cell.values.clear();
  cell.seeds.clear();
  const std::map<std::string, double> others(b.values.begin(), b.values.end());
  for (const auto& [subject, value] : a.values) {
    const auto other = others.find(subject);
    if (other == others.end()) continue;
    if (const auto root = root_of_product(value, other->second)) {
      cell.values.emplace_back(subject, *root);
      cell.seeds.emplace_back(subject, std::vector{*root});
    }
  }
  return cell;
}

class CellReader {
 public:
  CellReader(Index& index, const StudyFacts& facts) : index_(index), facts_(facts) {}

  /// Concepts that the rows of references do not show.
  void leave_out(std::set<std::string> concepts) { left_out_ = std::move(concepts); }

  Cell read(const RowGroup& group, const Column& column) {
    Cell cell;
    if (column.evaluation == nullptr && group.kind == "anchor") return cell;  // nothing is trained
    if (const auto parts = parts_of(column); parts.size() == 2)
      return geometric_mean(read(group, parts[0]), read(group, parts[1]));
    std::map<std::string, std::vector<RunValue>> concepts;
    for (const RunFacts* run : group.runs) {
      auto& values = concepts[run->subject];
      if (const auto value = run_value(*run, column, cell)) {
        values.push_back(*value);
        ++cell.runs;
      }
    }
    cell.runs_expected = static_cast<std::int64_t>(group.runs.size());
    finish(concepts, cell);
    return cell;
  }

  /// The references of every concept against themselves, and against the texts of all prompts.
  Cell references(const Column& column, const std::string& which) {
    Cell cell;
    std::map<std::string, std::vector<RunValue>> concepts;
    const bool of_images =
        column.metric.ends_with("_i") || column.metric.ends_with("_i_full") || column.metric == "reconstruction";
    const bool shown = of_images || (column.metric.ends_with("_t") && which == "distinct");
    if (column.evaluation == nullptr || !shown) return cell;
    for (const auto& run : facts_.runs) {
      if (left_out_.contains(run.subject)) continue;
      auto& values = concepts[run.subject];
      const auto scoring = run.scores.find(column.evaluation->name);
      if (!values.empty() || scoring == run.scores.end() || scoring->second.keys.size() != 1) continue;
      if (const auto value = reference_score(index_, scoring->second.keys[0], column, which))
        values.push_back({*value, {}});
    }
    finish(concepts, cell);
    return !of_images && !cell.mean ? Cell{} : cell;  // scores of earlier versions do not tell
  }

 private:
  std::optional<RunValue> run_value(const RunFacts& run, const Column& column, Cell& cell) {
    cell.divergent = cell.divergent || run.divergent;
    if (column.evaluation == nullptr) {
      const auto value = training_fact(index_, facts_, run, column.metric);
      cell.failed = cell.failed || (!value && run.failed);
      if (!value) return {};
      return RunValue{*value, {}};
    }
    const auto found = run.scores.find(column.evaluation->name);
    const Scoring none;
    const Scoring& scoring = found == run.scores.end() ? none : found->second;
    cell.divergent = cell.divergent || scoring.divergent;
    cell.stale = cell.stale || scoring.stale;
    if (scoring.keys.size() != 1) {
      cell.ambiguous = cell.ambiguous || !scoring.keys.empty();
      cell.failed = cell.failed || (scoring.keys.empty() && (run.failed || scoring.failed));
      return {};
    }
    const auto score = score_of(index_, scoring.keys[0], column);
    cell.dropped += score.dropped;
    if (!score.value) return {};
    return RunValue{*score.value, score.pictures};
  }

  static void finish(const std::map<std::string, std::vector<RunValue>>& concepts, Cell& cell) {
    std::vector<double> means;
    std::vector<std::vector<RunValue>> runs;
    for (const auto& [name, values] : concepts) {
      if (values.empty()) continue;
      std::vector<double> seeds;
      for (const auto& run : values) seeds.push_back(run.value);
      means.push_back(*mean_of(seeds));
      cell.values.emplace_back(name, means.back());
      cell.seeds.emplace_back(name, std::move(seeds));
      runs.push_back(values);
    }
    cell.concepts = static_cast<std::int64_t>(means.size());
    cell.concepts_expected = static_cast<std::int64_t>(concepts.size());
    cell.mean = mean_of(means);
    cell.se = standard_error(means);
    cell.variance = variance_parts(runs);
  }

  Index& index_;             // borrowed
  const StudyFacts& facts_;  // borrowed
  std::set<std::string> left_out_;
};

std::vector<Column> columns_of(const StudyFacts& facts, const TableRequest& request) {
  std::vector<Column> columns;
  if (request.columns.empty()) columns = default_columns(facts);
  for (const auto& name : request.columns) columns.push_back(column_of(facts, name));
  if (!request.costs) return columns;
  for (const auto& cost : cost_columns()) {
    if (std::ranges::find(columns, cost.name, &Column::name) == columns.end()) columns.push_back(cost);
  }
  return columns;
}

/// The margin of each column: its own, else that of its score.
std::vector<std::optional<double>> margins_of(const std::vector<Column>& columns,
                                              const std::map<std::string, double>& requested) {
  std::vector<std::optional<double>> margins(requested.empty() ? 0 : columns.size());
  for (const auto& [name, margin] : requested) {
    bool used = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool exact = columns[i].name == name;
      if (!exact && (columns[i].metric != name || requested.contains(columns[i].name))) continue;
      margins[i] = margin;
      used = true;
    }
    if (used) continue;
    std::vector<std::string> known;
    for (const auto& column : columns) known.push_back(column.name);
    throw Error({.where = "margin",
                 .found = fmt::format("\"{}\", which is no column and no score of one", name),
                 .expected = "one of " + join(known, ", ", 20)},
                ErrorKind::usage);
  }
  return margins;
}

/// What the rows are compared with.
struct Bases {
  std::vector<const TableRow*> rows;  ///< borrowed: one, or several of one method
  std::vector<std::string> axes;      ///< in which these differ: each row is compared with the one that agrees with it
};

/// The row of that label, else those of that method.
std::vector<const TableRow*> rows_named(const Table& table, const std::string& name) {
  std::vector<const TableRow*> found;
  std::vector<std::string> labels;
  for (const auto& row : table.rows) {
    if (row.kind != "method") continue;
    labels.push_back(row.label);
    if (row.label == name) return {&row};
    if (row.axes.value("method", Json()) == Json(name)) found.push_back(&row);
  }
  if (!found.empty()) return found;
  throw Error({.where = "compare_to",
               .found = fmt::format("\"{}\", which is no row", name),
               .expected = labels.empty() ? "a table with rows" : "one of " + join(labels, ", ", 20)},
              ErrorKind::usage);
}

bool agree(const TableRow& a, const TableRow& b, const std::string& axis) {
  return a.axes.value(axis, Json()) == b.axes.value(axis, Json());
}

Bases bases_of(const Table& table, const std::string& name) {
  Bases bases{.rows = rows_named(table, name), .axes = {}};
  std::set<std::string> axes;
  for (const auto* row : bases.rows) {
    for (const auto& [axis, value] : row->axes.items()) axes.insert(axis);
  }
  for (const auto& axis : axes) {
    const auto differs = [&](const TableRow* row) { return !agree(*row, *bases.rows.front(), axis); };
    if (std::ranges::any_of(bases.rows, differs)) bases.axes.push_back(axis);
  }
  return bases;
}

/// Null for a base itself, and where none agrees.
const TableRow* base_of(const TableRow& row, const Bases& bases) {
  if (row.kind != "method" || std::ranges::count(bases.rows, &row) > 0) return nullptr;
  const auto fits = [&](const TableRow* base) {
    return std::ranges::all_of(bases.axes, [&](const std::string& axis) { return agree(row, *base, axis); });
  };
  const auto found = std::ranges::find_if(bases.rows, fits);
  return found == bases.rows.end() ? nullptr : *found;
}

/// Differences of the concepts that both have.
std::vector<double> differences(const Cell& cell, const Cell& base) {
  const std::map<std::string, double> known(base.values.begin(), base.values.end());
  std::vector<double> all;
  for (const auto& [name, value] : cell.values) {
    if (const auto found = known.find(name); found != known.end()) all.push_back(value - found->second);
  }
  return all;
}

/// Of an evaluation; what a training cost needs no test, and would weaken the others' correction.
bool is_score(const std::string& column) { return column.find('.') != std::string::npos; }

void compare(Table& table, const std::string& name) {
  const Bases bases = bases_of(table, name);
  std::vector<Comparison*> made;
  bool any = bases.rows.size() == 1;
  for (auto& row : table.rows) {
    const TableRow* base = base_of(row, bases);
    if (base == nullptr) continue;
    any = true;
    row.base = static_cast<std::size_t>(base - table.rows.data());
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      if (!is_score(table.columns[i])) continue;
      const auto pairs = differences(row.cells[i], base->cells[i]);
      if (pairs.size() < 2) continue;
      row.cells[i].comparison = compare_paired(pairs);
      if (!table.margins.empty() && table.margins[i]) {
        row.cells[i].equivalent = lies_within(*row.cells[i].comparison, *table.margins[i]);
      }
      made.push_back(&*row.cells[i].comparison);
    }
  }
  if (!any) {
    throw Error({.where = "compare_to",
                 .found = fmt::format("{} rows of \"{}\" that differ in {}", bases.rows.size(), name, join(bases.axes)),
                 .expected = "a row of another method that agrees with one of them there",
                 .advice = fmt::format("name one row, e.g. \"{}\"", bases.rows.front()->label)},
                ErrorKind::usage);
  }
  correct_holm(made);
  table.compare_to = bases.rows.size() == 1 ? bases.rows.front()->label : name;
  table.compare_axes = bases.axes;
}

void add_references(CellReader& reader, const std::vector<Column>& columns, Table& table) {
  for (const auto& [which, label] :
       {std::pair("distinct", "image only (references)"), std::pair("all", "image only (references, all pairs)")}) {
    TableRow row{label, "references", Json::object(), {}};
    for (const auto& column : columns) row.cells.push_back(reader.references(column, which));
    const bool some = std::ranges::any_of(row.cells, [](const Cell& cell) { return cell.mean.has_value(); });
    if (some || std::string_view(which) == "distinct") table.rows.push_back(std::move(row));
  }
}

/// Rule, choice and their times: whether it was a choice before the test is for the reader to see.
void add_selection(Index& index, const Selection& selection, Choice choice, Table& table) {
  table.caption.push_back(choice.sentence);
  table.selection = std::move(choice.record);
  const auto time = selection_time(index, table.manifest, selection);
  if (!time) return;
  table.caption.push_back(sentence_of(*time));
  table.selection["stored"] = time->stored;
  table.selection["first_test_picture"] = time->first_picture.empty() ? Json() : Json(time->first_picture);
  table.selection["test_sets_before"] = time->before;
}

}  // namespace

bool is_compared(const Table& table, std::size_t column) {
  return !table.compare_to.empty() && is_score(table.columns[column]);
}

Table make_table(Index& index, const std::string& manifest, const TableRequest& request) {
  const StudyFacts facts = read_facts(index, manifest);
  const auto columns = columns_of(facts, request);
  Table table;
  table.study = request.study.empty() ? facts.study : request.study;
  table.manifest = manifest;
  for (const auto& column : columns) table.columns.push_back(column.name);
  CellReader reader(index, facts);
  auto groups = row_groups(facts, request);
  Choice choice;
  if (request.select) {
    const auto best = request.select->step ? Column() : column_of(facts, request.select->best);
    choice = select_rows(
        *request.select, [&](const RowGroup& group) { return reader.read(group, best); }, groups);
    reader.leave_out(request.select->development);
  }
  for (const auto& group : groups) {
    TableRow row{group.label, group.kind, group.axes, {}};
    for (const auto& column : columns) row.cells.push_back(reader.read(group, column));
    table.rows.push_back(std::move(row));
  }
  const bool images = std::ranges::any_of(columns, [](const Column& column) { return column.evaluation != nullptr; });
  if (images) add_references(reader, columns, table);
  table.margins = margins_of(columns, request.margins);
  if (!request.compare_to.empty()) compare(table, request.compare_to);
  if (auto side = variance_table(table)) table.sides.push_back(std::move(*side));
  if (request.tradeoff) {
    for (auto& side : tradeoff_tables(table)) table.sides.push_back(std::move(side));
  }
  table.caption = caption_of(index, facts, columns, table);
  if (request.select) add_selection(index, *request.select, std::move(choice), table);
  table.notes = notes_of(index, facts, columns, table);
  for (const auto& published : request.published) add_published(published, columns, table);
  return table;
}

}  // namespace atelier::reports
