#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/index.h"
#include "reports/published.h"
#include "reports/selection.h"
#include "reports/statistics.h"
#include "reports/variance.h"

namespace atelier::reports {

/// What a table shows; whatever is empty takes its default.
struct TableRequest {
  std::string study = {};  ///< name in the caption; empty: the manifest's
  std::vector<std::string> rows =
      {};  ///< axes: method, concept, seed, preset, checkpoint or an option; default: a row per run label
  std::vector<std::string> columns = {};  ///< "<evaluation>.<metric>", seconds, minutes, parameters, bytes,
                                          ///< peak_memory, final_loss
  std::vector<std::string> over = {};     ///< axes to average over; default: concept and seed
  /// Label or method of a row: paired differences from it. Where a method has several rows (checkpoints), each row is
  /// compared with the one that agrees with it in what they differ in.
  std::string compare_to = {};
  /// By column, or by score for all evaluations: a difference whose interval lies within it is called equivalent.
  std::map<std::string, double> margins = {};
  std::optional<Selection> select = {};
  std::vector<PublishedTable> published = {};
  bool tradeoff =
      false;           ///< adds a table of what identity and text come to together, for each evaluation that has both
  bool costs = false;  ///< adds the columns minutes, peak_memory, parameters and bytes
};

/// Mean over pictures, then prompts, then runs of a concept, then concepts (evaluation.md 8.2).
struct Cell {
  std::optional<double> mean = {};
  std::optional<double> se = {};  ///< standard deviation over concepts (n - 1) / sqrt(n); none for one concept
  std::int64_t concepts = 0, concepts_expected = 0;
  std::int64_t runs = 0, runs_expected = 0;
  bool failed = false;       ///< something is missing because a job failed
  bool divergent = false;    ///< the same key once gave other bytes
  bool ambiguous = false;    ///< two scorings of a run fit the column, so that neither is shown
  bool stale = false;        ///< pictures were made anew, with other bytes, after they were scored
  std::int64_t dropped = 0;  ///< pictures or sets without this score
  std::vector<std::pair<std::string, double>> values = {};              ///< by concept, in byte order
  std::vector<std::pair<std::string, std::vector<double>>> seeds = {};  ///< the runs that these are means of
  std::optional<VarianceParts> variance = {};                           ///< of these runs' values
  std::optional<Comparison> comparison = {};  ///< with the row `compare_to` that belongs to it
  std::optional<bool> equivalent = {};        ///< of the comparison; none without a margin
};

struct TableRow {
  std::string label;
  std::string kind;  ///< "method", "anchor", "references" or "published"
  Json axes;         ///< what the row's runs have in common
  std::vector<Cell> cells;
  std::optional<std::size_t> base = {};  ///< the row that its differences are from
};

/// A smaller table beside the main one.
struct SideTable {
  std::string title;                           ///< a sentence
  std::vector<std::string> heads;              ///< the first is of the rows' names
  std::vector<std::vector<std::string>> rows;  ///< as long as the heads
};

struct Table {
  std::string study, manifest, compare_to;  ///< compare_to: the row's label; the method where it has several
  std::vector<std::string> compare_axes;    ///< in which these differ
  std::vector<std::string> columns;
  std::vector<std::optional<double>> margins = {};  ///< of the columns; empty: none has one
  std::vector<TableRow> rows;
  std::vector<SideTable> sides = {};
  std::vector<std::string> caption, notes;  ///< sentences; notes explain the marks
  Json selection = {};                      ///< rule, choice and times (selection.h); null: none was asked for
};

/// Whether rows are compared in the column: scores of an evaluation, but not what a training cost.
[[nodiscard]] bool is_compared(const Table& table, std::size_t column);

/// Reads everything from the index. Throws Error (usage) for a manifest, axis, column or row that is not there.
[[nodiscard]] Table make_table(Index& index, const std::string& manifest, const TableRequest& request);

/// Text as part of one line of Markdown: nothing in it ends a cell or a line.
[[nodiscard]] std::string one_line_markdown(const std::string& text);
/// Caption, table and notes. The best method of a column bold, the second best italic.
[[nodiscard]] std::string to_markdown(const Table& table);
/// One line a row, RFC 4180 (lines end in CR LF), shortest numbers that read back as the same; empty: nothing is there.
[[nodiscard]] std::string to_csv(const Table& table);
[[nodiscard]] Json to_json(const Table& table);
/// A `table` float of LaTeX with booktabs' rules, the best method of a column bold, the second best underlined, and
/// significance as stars; `standalone`: a document around it that compiles as it is.
[[nodiscard]] std::string to_tex(const Table& table, bool standalone = false);
/// The same as a fragment of HTML, a <figure>; what a cell's value is by concept stands in its title.
[[nodiscard]] std::string to_html(const Table& table);

}  // namespace atelier::reports
