// LaTeX tables, compiled by pdfLaTeX where it is installed.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "reports/table.h"
#include "tests/support/temporary_folder.h"

using namespace atelier::reports;
using Catch::Contains;

namespace {

/// Eight columns of two evaluations, too wide for a page, and text that LaTeX must not take as its own.
Table wide_table() {
  Table table{.study = "toy",
              .manifest = "m",
              .compare_to = "",
              .compare_axes = {},
              .columns = {},
              .rows = {},
              .caption = {"100 % of $x_1$ & \\input{/etc/passwd}, \"猫\" ~ ^ #1 {"},
              .notes = {"† Something is missing because a job failed."}};
  for (const auto* evaluation : {"core_masked", "ti_code"}) {
    for (const auto* score : {"clip_i", "clip_i_kept", "reconstruction", "editability_of_everything"}) {
      table.columns.push_back(std::string(evaluation) + "." + score);
    }
  }
  table.columns.push_back("seconds");
  const Cell cell{
      .mean = -0.25, .se = 0.125, .concepts = 2, .concepts_expected = 3, .runs = 1, .runs_expected = 1, .failed = true};
  for (const auto* name : {"a_method", "\\end{tabular} & #2 %", "}{"}) {
    table.rows.push_back({name, "method", {{"method", name}}, std::vector<Cell>(table.columns.size(), cell)});
  }
  table.rows.push_back({"class word", "anchor", {}, std::vector<Cell>(table.columns.size(), cell)});
  table.sides.push_back(
      {.title = "Trade-off & more", .heads = {"row", "what_is_it"}, .rows = {{"a_method", "1 % \\\\"}}});
  return table;
}

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a LaTeX document compiles as it is, and its table is no wider than the text", "[reports][forms]") {
  if (std::system("command -v pdflatex >/dev/null && kpsewhich booktabs.sty >/dev/null") != 0) {
    WARN("not tried: pdflatex or its package booktabs is not installed");
    return;
  }
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "table.tex") << to_tex(wide_table(), true);
  const auto command = "cd '" + folder.path().string() +
                       "' && pdflatex -no-shell-escape -interaction=nonstopmode -halt-on-error table.tex >out 2>&1";
  const int status = std::system(command.c_str());
  INFO(text_of(folder.path() / "out"));
  REQUIRE(status == 0);
  CHECK(std::filesystem::exists(folder.path() / "table.pdf"));
  CHECK_THAT(text_of(folder.path() / "table.log"), !Contains("Overfull") && !Contains("LaTeX Warning"));
}
