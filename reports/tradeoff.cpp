#include "reports/tradeoff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "reports/cell_text.h"
#include "reports/escape.h"
#include "reports/svg.h"

namespace atelier::reports {
namespace {

constexpr double kWidth = 460, kLeft = 56, kRight = 448, kTop = 12, kBottom = 292, kLegend = 344, kLine = 20;

const Cell& cell_in(const Table& table, const TableRow& row, const std::string& column) {
  const auto place = std::ranges::find(table.columns, column) - table.columns.begin();
  return row.cells.at(static_cast<std::size_t>(place));
}

/// One of four shapes around (x, y), told apart without colour. Where the colours begin again the shapes move on by
/// one, so that 32 rows look different.
std::string marker(double x, double y, std::size_t i, bool hollow) {
  const auto paint = hollow ? fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"2\"", colour_of(i))
                            : fmt::format("fill=\"{}\"", colour_of(i));
  switch ((i / 2 + i / 8) % 4) {
    case 0:
      return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"5\" {}/>", at(x), at(y), paint);
    case 1:
      return fmt::format("<rect x=\"{}\" y=\"{}\" width=\"9\" height=\"9\" {}/>", at(x - 4.5), at(y - 4.5), paint);
    case 2:
      return fmt::format("<path d=\"M{} {}l6 10h-12z\" {}/>", at(x), at(y - 6), paint);
    default:
      return fmt::format("<path d=\"M{} {}l6 6l-6 6l-6 -6z\" {}/>", at(x), at(y - 6), paint);
  }
}

struct Plot {
  const Table& table;        // borrowed
  const Tradeoff& tradeoff;  // borrowed
  Axis x, y;

  [[nodiscard]] const Cell& identity(const TableRow& row) const { return cell_in(table, row, tradeoff.identity); }
  [[nodiscard]] const Cell& text(const TableRow& row) const { return cell_in(table, row, tradeoff.text); }
  [[nodiscard]] bool shown(const TableRow& row) const { return identity(row).mean && text(row).mean; }
};

Plot plot_of(const Table& table, const Tradeoff& tradeoff) {
  Plot plot{table, tradeoff, {}, {}};
  std::vector<double> xs, ys;
  const auto add = [](const Cell& cell, std::vector<double>& values) {
    values.push_back(*cell.mean - cell.se.value_or(0.0));
    values.push_back(*cell.mean + cell.se.value_or(0.0));
  };
  for (const auto& row : table.rows) {
    if (plot.shown(row)) add(plot.text(row), xs);
    if (plot.identity(row).mean && (plot.shown(row) || row.kind == "references")) add(plot.identity(row), ys);
  }
  plot.x = axis_over(xs, kLeft, kRight);
  plot.y = axis_over(ys, kBottom, kTop);
  return plot;
}

std::string tradeoff_axes(const Plot& plot) {
  std::string svg = fmt::format("<path d=\"M{} {}V{}H{}\" fill=\"none\" stroke=\"currentColor\"/>\n", at(kLeft),
                                at(kTop), at(kBottom), at(kRight));
  const auto xs = ticks_of(plot.x, 5), ys = ticks_of(plot.y, 5);
  for (const double value : xs.values) {
    svg += fmt::format(
        "<path d=\"M{0} {1}v4\" stroke=\"currentColor\"/><text x=\"{0}\" y=\"{2}\" text-anchor=\"middle\">"
        "{3}</text>\n",
        at(plot.x.place(value)), at(kBottom), at(kBottom + 18), tick_text(value, xs.step));
  }
  for (const double value : ys.values) {
    svg += fmt::format(
        "<path d=\"M{0} {1}h-4\" stroke=\"currentColor\"/><text x=\"{2}\" y=\"{3}\" text-anchor=\"end\">"
        "{4}</text>\n",
        at(kLeft), at(plot.y.place(value)), at(kLeft - 7), at(plot.y.place(value) + 4), tick_text(value, ys.step));
  }
  const double middle = (kTop + kBottom) / 2;
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{} (text) →</text>\n", at((kLeft + kRight) / 2),
                     at(kBottom + 38), escape_html(plot.tradeoff.text));
  svg += fmt::format(
      "<text x=\"12\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {0})\">{1} (identity) "
      "→</text>\n",
      at(middle), escape_html(plot.tradeoff.identity));
  return svg;
}

std::string error_bars(const Plot& plot, const TableRow& row, std::size_t i) {
  const auto& x = plot.text(row);
  const auto& y = plot.identity(row);
  std::string path;
  if (x.se) {
    path += fmt::format("M{} {}H{}", at(plot.x.place(*x.mean - *x.se)), at(plot.y.place(*y.mean)),
                        at(plot.x.place(*x.mean + *x.se)));
  }
  if (y.se) {
    path += fmt::format("M{} {}V{}", at(plot.x.place(*x.mean)), at(plot.y.place(*y.mean - *y.se)),
                        at(plot.y.place(*y.mean + *y.se)));
  }
  return path.empty() ? "" : fmt::format("<path d=\"{}\" stroke=\"{}\" stroke-width=\"1.5\"/>", path, colour_of(i));
}

std::string value_text(const Cell& cell) {
  return short_number(*cell.mean) + (cell.se ? " ± " + short_number(*cell.se) : "");
}

std::string point_of(const Plot& plot, const TableRow& row, std::size_t i) {
  const auto title = fmt::format("{}: text {}, identity {}{}", row.label, value_text(plot.text(row)),
                                 value_text(plot.identity(row)), missing_of(plot.identity(row)));
  return "<g><title>" + escape_html(title) + "</title>" + error_bars(plot, row, i) +
         marker(plot.x.place(*plot.text(row).mean), plot.y.place(*plot.identity(row).mean), i, row.kind != "method") +
         "</g>\n";
}

std::string reference_line(const Plot& plot, const TableRow& row, std::size_t i) {
  return fmt::format(
      "<path d=\"M{} {}H{}\" stroke=\"{}\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"><title>{}</title></path>\n",
      at(kLeft), at(plot.y.place(*plot.identity(row).mean)), at(kRight), colour_of(i),
      escape_html(row.label + ": identity " + value_text(plot.identity(row))));
}

std::string legend_line(const TableRow& row, double y, const std::string& sign) {
  const auto title = "<title>" + escape_html(row.label) + "</title>";
  return fmt::format("<g>{}{}<text x=\"28\" y=\"{}\">{}</text></g>\n", title, sign, at(y + 4),
                     escape_html(shortened(row.label, 58)));
}

}  // namespace

std::vector<Tradeoff> tradeoffs_of(const std::vector<std::string>& columns) {
  std::vector<Tradeoff> all;
  for (const auto& column : columns) {
    const auto dot = column.rfind('.');
    if (dot == std::string::npos) continue;
    const auto name = column.substr(0, dot), metric = column.substr(dot + 1);
    auto found = std::ranges::find(all, name, &Tradeoff::evaluation);
    if (found == all.end()) found = all.insert(all.end(), {name, "", ""});
    if (metric == "reconstruction" || (metric.ends_with("_i") && found->identity.empty())) found->identity = column;
    if (metric == "editability" || (metric.ends_with("_t") && found->text.empty())) found->text = column;
  }
  std::erase_if(all, [](const Tradeoff& each) { return each.identity.empty() || each.text.empty(); });
  return all;
}

std::string tradeoff_svg(const Table& table, const Tradeoff& tradeoff) {
  const Plot plot = plot_of(table, tradeoff);
  std::string points, legend;
  double y = kLegend;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    std::string sign = "<text x=\"14\" y=\"" + at(y + 4) + "\" text-anchor=\"middle\">–</text>";  // nothing to show
    if (plot.shown(row)) {
      points += point_of(plot, row, i);
      sign = marker(14, y, i, row.kind != "method");
    } else if (row.kind == "references" && plot.identity(row).mean) {
      points += reference_line(plot, row, i);
      sign = fmt::format("<path d=\"M4 {}h20\" stroke=\"{}\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"/>", at(y),
                         colour_of(i));
    }
    legend += legend_line(row, y, sign);
    y += kLine;
  }
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
             "height=\"{1:.0f}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\" "
             "fill=\"currentColor\">\n<title>{2}: identity against text alignment</title>\n",
             kWidth, y, escape_html(tradeoff.evaluation)) +
         tradeoff_axes(plot) + points + legend + "</svg>\n";
}

}  // namespace atelier::reports
