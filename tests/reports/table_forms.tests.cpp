// Tables as LaTeX and HTML: what is ranked, what is escaped, what is told of holes.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "reports/cell_text.h"
#include "reports/escape.h"
#include "reports/units.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

Cell value(double mean) {
  return {.mean = mean, .se = {}, .concepts = 1, .concepts_expected = 1, .runs = 1, .runs_expected = 1};
}

TableRow row_of(const std::string& method, std::vector<Cell> cells, const std::string& kind = "method") {
  return {method, kind, {{"method", method}}, std::move(cells)};
}

/// Three methods and an anchor that would be best.
Table four_rows() {
  Table table{.study = "toy",
              .manifest = "m",
              .compare_to = "",
              .compare_axes = {},
              .columns = {},
              .rows = {},
              .caption = {"Study toy."},
              .notes = {}};
  table.columns = {"p.clip_i", "seconds", "p.gbar_norm", "final_loss"};
  table.rows = {row_of("a", {value(0.5), value(10.0), value(0.1), value(0.3)}),
                row_of("b", {value(0.7), value(30.0), value(0.2), value(0.2)}),
                row_of("c", {value(0.6), value(20.0), value(0.3), value(0.1)}),
                row_of("anchor:class_word", {value(0.9), value(1.0), value(0.9), value(0.01)}, "anchor")};
  return table;
}

using Ranks = std::vector<std::vector<Rank>>;

}  // namespace

TEST_CASE("the best and the second of the methods are marked by the column's better side", "[reports][forms]") {
  const auto none = Rank::none, best = Rank::best, second = Rank::second;
  auto table = four_rows();
  CHECK(ranks_of(table) == Ranks{{none, best, none, none},
                                 {best, none, none, none},
                                 {second, second, none, none},
                                 {none, none, none, none}});
  table.rows[1].cells[0].concepts = 0;  // b lacks a concept: c leads
  CHECK(ranks_of(table)[1][0] == none);
  CHECK(ranks_of(table)[2][0] == best);
  CHECK(ranks_of(table)[0][0] == second);
}

TEST_CASE("equal numbers share a place, and one method alone is not the best", "[reports][forms]") {
  auto table = four_rows();
  table.rows[2].cells[0] = value(0.70000001);
  CHECK(ranks_of(table)[1][0] == Rank::best);
  CHECK(ranks_of(table)[2][0] == Rank::best);
  CHECK(ranks_of(table)[0][0] == Rank::second);
  for (auto& row : table.rows) row.axes = {{"method", "a"}};  // checkpoints of one method
  CHECK(ranks_of(table)[1][0] == Rank::none);
  CHECK(rank_notes(table).empty());
}

TEST_CASE("a LaTeX table, whole", "[reports][forms]") {
  auto table = four_rows();
  table.columns.resize(2);
  for (auto& row : table.rows) row.cells.resize(2);
  table.rows[0].cells[0].se = 0.01;
  table.rows[0].cells[1] = {.mean = {}, .concepts_expected = 2, .failed = true};
  table.rows[1].cells[0].comparison = Comparison{.difference = 0.2, .p = 0.002, .p_holm = 0.004, .concepts = 9};
  table.rows[2].cells[0] = value(-0.25);
  table.compare_to = "a";
  table.notes = {"† Something is missing because a job failed."};
  CHECK(to_tex(table) ==
        "% needs \\usepackage{booktabs,graphicx}\n"
        "\\begin{table}\n"
        "  \\centering\n"
        "  \\caption{Study toy.}\n"
        "  \\sbox0{%\n"
        "  \\begin{tabular}{lrr}\n"
        "    \\toprule\n"
        "    & \\multicolumn{1}{c}{p} & \\multicolumn{1}{c}{} \\\\\n"
        "    \\cmidrule(lr){2-2}\n"
        "    row & clip\\_i & seconds \\\\\n"
        "    \\midrule\n"
        "    a & \\underline{0.5000} $\\pm$ 0.0100 & -- (0 of 2)\\textsuperscript{\\dag{}} \\\\\n"
        "    b & \\textbf{0.7000}\\textsuperscript{{*}{*}} & \\underline{30}~s \\\\\n"
        "    c & $-$0.2500 & \\textbf{20}~s \\\\\n"
        "    \\midrule\n"
        "    anchor:class\\_word & 0.9000 & 1~s \\\\\n"
        "    \\bottomrule\n"
        "  \\end{tabular}%\n"
        "  }%\n"
        "  \\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi\n"
        "  \\par\\smallskip\n"
        "  {\\footnotesize Bold: best of the methods in its column; underlined: second best. Values that lack concepts "
        "or runs take no part. {*}{,} {*}{*}{,} {*}{*}{*}: differs from a with a corrected p below 0.05{,} 0.01{,} "
        "0.001. \\dag{} Something is missing because a job failed.\\par}\n"
        "\\end{table}\n");
  CHECK_THAT(to_tex(table, true),
             Catch::StartsWith("\\documentclass{article}\n") &&
                 Contains("\\usepackage{booktabs,graphicx}\n\\begin{document}\n\\begin{table}\n") &&
                 Catch::EndsWith("\\end{table}\n\\end{document}\n"));
}

TEST_CASE("an HTML table, whole", "[reports][forms]") {
  auto table = four_rows();
  table.columns.resize(1);
  for (auto& row : table.rows) row.cells.resize(1);
  table.rows[0].cells[0].values = {{"<cat>", 0.5}};
  table.rows[1].cells[0].dropped = 2;
  CHECK(to_html(table) ==
        "<figure class=\"atelier-table\">\n<figcaption>\n<p>Study toy.</p>\n</figcaption>\n<table>\n<thead>\n"
        "<tr><th scope=\"col\">row</th><th scope=\"col\">p.clip_i</th></tr>\n</thead>\n<tbody>\n"
        "<tr class=\"method\"><th scope=\"row\">a</th><td title=\"&lt;cat&gt;: 0.5000\">0.5000</td></tr>\n"
        "<tr class=\"method\"><th scope=\"row\">b</th><td><strong>0.7000</strong><sup>§</sup></td></tr>\n"
        "<tr class=\"method\"><th scope=\"row\">c</th><td><u>0.6000</u></td></tr>\n"
        "<tr class=\"anchor\"><th scope=\"row\">anchor:class_word</th><td>0.9000</td></tr>\n"
        "</tbody>\n</table>\n"
        "<p class=\"note\">Bold: best of the methods in its column; underlined: second best. Values that lack concepts "
        "or runs take no part.</p>\n</figure>\n");
}

TEST_CASE("text is escaped for LaTeX", "[reports][forms]") {
  CHECK(escape_tex("\\input{x} 100% a_b #1 $x$ {y} ~^&") ==
        "\\textbackslash{}input\\{x\\} 100\\% a\\_b \\#1 \\$x\\$ \\{y\\} \\textasciitilde{}\\textasciicircum{}\\&");
  CHECK(escape_tex("[x] * -- '' ,, \"q\" `") == "{[}x{]} {*} {-}{-} {'}{'} {,}{,} {\\char34}q{\\char34} {\\char96}");
  CHECK(escape_tex("<a|b>\n\nc") == "\\textless{}a\\textbar{}b\\textgreater{}  c");
  CHECK(escape_tex("Ångström ± Δ † café") == "Ångström $\\pm$ $\\Delta$ \\dag{} café");
  CHECK(escape_tex("猫 \x01\xff") == "{[}U+732B{]} {[}U+0001{]}{[}U+FFFD{]}");
}

TEST_CASE("text is escaped for HTML", "[reports][forms]") {
  CHECK(escape_html("<script>alert('x')</script> & \"q\"") ==
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot;");
  CHECK(escape_html("猫\n\ta\r") == "猫\n\ta");
  CHECK(escape_html("a\xE2\x80\xAE"
                    "b\x02"
                    "c\xff\xC0\x80\xED\xA0\x80"
                    "d\xE7") == "a�b�c������d�");
}

TEST_CASE("bytes as base64", "[reports][forms]") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64(std::string("\x00\xff\x80", 3)) == "AP+A");
}

TEST_CASE("hostile names of a study reach neither LaTeX nor HTML", "[reports][forms]") {
  const std::string name = "\"><img src=x onerror=alert(1)>\\end{tabular}";
  StudyInStore study;
  study.publish_scores(study.score_job(study.run(name, name, 0, name)), 0.0);
  const auto table = study.table({.study = name, .columns = {"ti_code.clip_i"}});
  CHECK_THAT(to_html(table), !Contains("<img") && Contains("&lt;img src=x onerror=alert(1)&gt;"));
  const auto tex = to_tex(table);
  CHECK_THAT(tex, Contains("\\textbackslash{}end\\{tabular\\}"));
  CHECK(tex.find("\\end{tabular}") == tex.rfind("\\end{tabular}"));
  CHECK(to_tex(table) == to_tex(study.table({.study = name, .columns = {"ti_code.clip_i"}})));
  CHECK(to_html(table) == to_html(study.table({.study = name, .columns = {"ti_code.clip_i"}})));
}

TEST_CASE("a column tells the greatest memory of a training's stages", "[reports][forms]") {
  StudyInStore study;
  const auto run = study.run("textreg", "cat", 0, "textreg");
  const auto first = study.job(run, {{"kind", "train"}, {"stage", "ti"}});
  const auto second = study.job(run, {{"kind", "train"}, {"stage", "ut"}, {"inputs", {{"ti", first}}}});
  study.publish(first, "one", {{"peak_memory", 3000}});
  study.publish(second, "two", {{"peak_memory", 2000}, {"seconds", 1.0}});
  const auto table = study.table({.columns = {"peak_memory", "seconds"}});
  CHECK(*table.rows[0].cells[0].mean == 3000.0);
  CHECK_FALSE(table.rows[0].cells[1].mean);  // the first stage does not tell
}

TEST_CASE("what a training cost is shown in units for readers, and as it is for programs", "[reports][forms]") {
  CHECK(with_unit("seconds", 73.24) == "1.22 min");
  CHECK(with_unit("seconds", 12.0) == "12 s");
  CHECK(with_unit("minutes", 0.2) == "12.0 s");
  CHECK(with_unit("minutes", 90.0) == "1.50 h");
  CHECK(with_unit("minutes", 1.5) == "1.50 min");
  CHECK(with_unit("peak_memory", 3119525888.0) == "3.12 GB");
  CHECK(with_unit("bytes", 999.0) == "999 B");
  CHECK(with_unit("bytes", 34248.0) == "34.2 KB");
  CHECK(with_unit("parameters", 768.0) == "768");
  CHECK(with_unit("parameters", 4199000.0) == "4.20 M");
  CHECK(with_unit("parameters", 859520964.0) == "860 M");
  CHECK(with_unit("ti_code.clip_i", 0.5) == "0.5000");
  CHECK(with_unit("final_loss", 0.25) == "0.2500");

  Table table = four_rows();
  table.columns = {"p.clip_i", "minutes", "peak_memory", "parameters"};
  table.rows = {row_of("a", {value(0.5), value(4.5), value(2.1e9), value(4.2e6)})};
  table.rows[0].cells[1].se = 0.25;
  CHECK_THAT(to_markdown(table), Contains("| 0.5000 | 4.50 ± 0.25 min | 2.10 GB | 4.20 M |"));
  CHECK_THAT(to_tex(table), Contains("4.50 $\\pm$ 0.25~min & 2.10~GB & 4.20~M"));
  CHECK_THAT(to_html(table), Contains(">4.50 ± 0.25 min</td>") && Contains(">2.10 GB</td>"));
  CHECK_THAT(to_csv(table), Contains("2100000000") && Contains("4200000") && !Contains("GB"));
  CHECK(to_json(table)["rows"][0]["cells"]["parameters"]["mean"] == 4.2e6);
}
