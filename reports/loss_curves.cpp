#include "reports/loss_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/ingest_parts.h"
#include "reports/escape.h"
#include "reports/svg.h"

namespace atelier::reports {
namespace {

constexpr double kChartWidth = 300, kChartHeight = 156, kChartLeft = 46, kChartRight = 292, kChartTop = 8,
                 kChartBottom = 122;
constexpr std::size_t kLongestLoss = 64u << 20;  // bytes of a record

std::vector<std::pair<double, double>> binned(const Json& record) {
  const Json& steps = list_member(record, "step");
  const Json& losses = list_member(record, "loss");
  const std::size_t count = std::min(steps.size(), losses.size());
  const std::size_t bins = std::min(count, kLossBins);
  std::vector<std::pair<double, double>> points;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    double step = 0.0, loss = 0.0, n = 0.0;
    for (std::size_t i = bin * count / bins; i < (bin + 1) * count / bins; ++i) {
      if (!steps[i].is_number() || !losses[i].is_number() || !std::isfinite(losses[i].get<double>())) continue;
      step += steps[i].get<double>(), loss += losses[i].get<double>(), n += 1.0;
    }
    if (n > 0.0) points.emplace_back(step / n, loss / n);
  }
  return points;
}

/// None where the record cannot be read.
std::optional<std::vector<std::pair<double, double>>> read_curve(const Store& store, const std::string& object) {
  try {
    const auto path = store.object_path(object);
    return binned(parse_json(read_text_file(path, kLongestLoss), path.string()));
  } catch (const Error&) {
    return {};
  }
}

std::string chart_axes(const Axis& x, const Axis& y) {
  std::string svg = fmt::format("<path d=\"M{} {}V{}H{}\" fill=\"none\" stroke=\"currentColor\"/>\n", at(kChartLeft),
                                at(kChartTop), at(kChartBottom), at(kChartRight));
  const auto xs = ticks_of(x, 4), ys = ticks_of(y, 3);
  for (const double value : xs.values) {
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", at(x.place(value)),
                       at(kChartBottom + 15), tick_text(value, xs.step));
  }
  for (const double value : ys.values) {
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", at(kChartLeft - 5),
                       at(y.place(value) + 4), tick_text(value, ys.step));
  }
  return svg + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">step</text>\n", at(kChartRight),
                           at(kChartHeight - 4));
}

std::string curve_path(const LossCurve& curve, const Axis& x, const Axis& y, std::size_t i) {
  std::string path;
  for (const auto& [step, loss] : curve.points) {
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", at(x.place(step)), at(y.place(loss)));
  }
  return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-opacity=\"0.8\"><title>{}</title></path>\n",
                     path, colour_of(i), escape_html(curve.name));
}

}  // namespace

std::vector<LossChart> loss_charts(Index& index, const Store& store, const std::string& manifest) {
  // The last published state of each training job has the losses of all its steps.
  const auto rows = index.query(
      "SELECT u.label, u.concept, u.seed, coalesce(json_extract(a.description, '$.stage'), ''), a.losses, "
      "min(u.position)"
      " FROM stage s JOIN stage_output o USING (manifest, job) JOIN artifact a ON a.key = o.key JOIN stage_run r USING"
      " (manifest, job) JOIN run u USING (manifest, run) WHERE s.manifest = ?1 AND s.kind = 'train' AND a.losses IS NOT"
      " NULL AND o.position = (SELECT max(l.position) FROM stage_output l JOIN artifact b ON b.key = l.key WHERE"
      " l.manifest = s.manifest AND l.job = s.job AND b.losses IS NOT NULL) GROUP BY s.job ORDER BY min(u.position), "
      "s.job",
      {manifest});
  std::vector<LossChart> charts;
  for (const auto& row : rows) {
    const auto stage = text_of(row[3]);
    const auto title = text_of(row[0]) + (stage.empty() ? "" : ", stage " + stage);
    auto chart = std::ranges::find(charts, title, &LossChart::title);
    if (chart == charts.end()) chart = charts.insert(charts.end(), {title, {}, 0});
    auto points = read_curve(store, text_of(row[4]));
    if (!points) {
      ++chart->unreadable;
      continue;
    }
    const bool seeded = !std::holds_alternative<std::monostate>(row[2]);
    const auto name = text_of(row[1]) + (seeded ? fmt::format(", seed {}", integer_of(row[2])) : "");
    if (!points->empty()) chart->curves.push_back({name, std::move(*points)});
  }
  return charts;
}

std::string loss_svg(const LossChart& chart) {
  std::vector<double> steps, losses;
  for (const auto& curve : chart.curves) {
    for (const auto& [step, loss] : curve.points) steps.push_back(step), losses.push_back(loss);
  }
  const Axis x = axis_over(steps, kChartLeft, kChartRight), y = axis_over(losses, kChartBottom, kChartTop);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"11\" fill=\"currentColor\">\n<title>Loss of {2}"
      "</title>\n",
      kChartWidth, kChartHeight, escape_html(chart.title));
  svg += chart_axes(x, y);
  for (std::size_t i = 0; i < chart.curves.size(); ++i) svg += curve_path(chart.curves[i], x, y, i);
  return svg + "</svg>\n";
}

}  // namespace atelier::reports
