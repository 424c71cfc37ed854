#include "reports/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/cell_text.h"
#include "reports/escape.h"
#include "reports/fixed_losses.h"
#include "reports/gallery.h"
#include "reports/loss_curves.h"
#include "reports/page.h"
#include "reports/pictures.h"
#include "reports/provenance.h"
#include "reports/study_tables.h"
#include "reports/tradeoff.h"

namespace atelier::reports {
namespace {

struct Section {
  std::string id, title, html;
};

std::string scrolled(const std::string& label, const std::string& table) {
  return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + escape_html(label) + "\">\n" + table +
         "</div>\n";
}

std::string differences_table(const Table& table) {
  std::string html = "<table>\n<thead><tr><th scope=\"col\">row</th>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (is_compared(table, i)) html += "<th scope=\"col\">Δ " + escape_html(table.columns[i]) + "</th>";
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    if (row.kind != "method") continue;
    html += "<tr><th scope=\"row\">" + escape_html(row.label) + "</th>";
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      if (!is_compared(table, i)) continue;
      const auto& cell = row.cells[i];
      html += "<td>" + escape_html(comparison_text(cell)) + "<sup>" + stars_of(cell) + "</sup>";
      if (cell.comparison) {
        html += fmt::format("<br><small>{} concepts, uncorrected p = {}</small>", cell.comparison->concepts,
                            short_number(cell.comparison->p));
      }
      html += "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table>\n";
}

class ReportWriter {
 public:
  ReportWriter(Index& index, const Store& store, const std::string& manifest, const ReportOptions& options)
      : index_(index), store_(store), manifest_(manifest), options_(options), facts_(read_facts(index, manifest)) {}

  [[nodiscard]] Report write() {
    read_tables();
    add_tables();
    add_differences();
    add_tradeoffs();
    add_losses();
    add_pictures();
    const Json plan = store_.manifest(manifest_);
    sections_.push_back({"study", "The study's text", study_text_html(plan)});
    sections_.push_back({"provenance", "Provenance", provenance_html(index_, store_, manifest_)});
    sections_.push_back({"licences", "Licences of the data", licences_html(grids_, options_.data_licences)});
    report_.html = page_html(title() + ": report", body());
    return std::move(report_);
  }

 private:
  [[nodiscard]] std::string title() const { return options_.study.empty() ? facts_.study : options_.study; }

  /// Those that the study names, else one of defaults.
  void read_tables() {
    auto names = table_names(index_, manifest_);
    if (names.empty()) names.emplace_back();
    for (const auto& name : names) {
      auto request = study_request(index_, manifest_, name);
      request.study = title();
      request.tradeoff = true;
      tables_.emplace_back(name, make_table(index_, manifest_, request));
    }
  }

  void add_tables() {
    std::string html;
    for (const auto& [name, table] : tables_) {
      if (tables_.size() > 1) html += "<h3>" + escape_html(name) + "</h3>\n";
      html += to_html(table);
    }
    sections_.push_back({"table", tables_.size() > 1 ? "Tables" : "Scores", html});
  }

  void add_differences() {
    std::string html;
    for (const auto& [name, table] : tables_) {
      if (table.compare_to.empty()) continue;
      if (tables_.size() > 1) html += "<h3>" + escape_html(name) + "</h3>\n";
      html += "<p>" +
              escape_html(fmt::format(
                  "Paired differences over concepts from {}{}: mean, 95 % bootstrap interval, and the p "
                  "of a sign-flip test, Holm-corrected over the table.",
                  table.compare_to, table.compare_axes.empty() ? "" : " of the same " + joined(table.compare_axes))) +
              "</p>\n" + scrolled("Differences", differences_table(table));
    }
    if (!html.empty()) sections_.push_back({"differences", "Differences", html});
  }

  static std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : " and ") + name;
    return text;
  }

  /// From the rows of the first table, with the columns that every evaluation has.
  void add_tradeoffs() {
    auto request = study_request(index_, manifest_, tables_.front().first);
    request.columns.clear();
    request.compare_to.clear();
    request.margins.clear();
    const auto table = make_table(index_, manifest_, request);
    std::string html;
    for (const auto& tradeoff : tradeoffs_of(table.columns)) {
      const auto svg = tradeoff_svg(table, tradeoff);
      html += "<figure>\n" + svg + "<figcaption>" + escape_html(tradeoff.evaluation) +
              ": means over concepts; bars are one standard error. Filled: methods; hollow: the base model without the "
              "concept or with its class word; dashed: the photos against each other, where they have no text "
              "score.</figcaption>\n</figure>\n";
      report_.figures[tradeoff.evaluation] = svg;
    }
    if (!html.empty()) sections_.push_back({"tradeoff", "Identity against text", html});
  }

  void add_losses() {
    std::string html = fixed_loss_html();
    const auto charts = loss_charts(index_, store_, manifest_);
    if (!charts.empty()) {
      html += fmt::format(
          "<p>Losses of the training steps, in up to {} means over a stage; a line a concept and seed.</p>\n<div "
          "class=\"charts\">\n",
          kLossBins);
    }
    for (const auto& chart : charts) {
      html += "<figure>\n" + loss_svg(chart) + "<figcaption>" + escape_html(chart.title) +
              fmt::format(", {} training{}", chart.curves.size(), chart.curves.size() == 1 ? "" : "s");
      if (chart.unreadable > 0) html += fmt::format("; {} records cannot be read", chart.unreadable);
      html += "</figcaption>\n</figure>\n";
    }
    if (!charts.empty()) html += "</div>\n";
    if (!html.empty()) sections_.push_back({"losses", "Losses", html});
  }

  std::string fixed_loss_html() {
    const auto stages = fixed_losses(index_, manifest_);
    if (stages.empty()) return "";
    std::string table =
        "<table>\n<thead><tr><th scope=\"col\">stage</th><th scope=\"col\">before</th><th scope=\"col\">after</th><th "
        "scope=\"col\">lowered</th></tr></thead>\n<tbody>\n";
    for (const auto& stage : stages) {
      table += fmt::format("<tr><th scope=\"row\">{}</th><td>{:.4f}</td><td>{:.4f}</td><td>{} of {}</td></tr>\n",
                           escape_html(stage.stage), stage.before, stage.after, stage.lowered, stage.trainings);
    }
    return "<p>The loss on fixed photos, timesteps and noise, before and after each stage: means over "
           "trainings.</p>\n" +
           scrolled("Fixed losses", table + "</tbody>\n</table>\n");
  }

  void add_pictures() {
    auto prompts = options_.prompts;
    auto pictures = options_.pictures;
    const auto read = [&] { grids_ = read_grids(index_, store_, manifest_, {.prompts = prompts, .every_seed = true}); };
    read();
    while (pictures > 1 && picture_count(grids_, pictures) > options_.most_pictures) --pictures;
    while (prompts > 1 && picture_count(grids_, pictures) > options_.most_pictures) --prompts, read();
    PictureReader reader(store_);
    const PictureScores scores(index_, facts_);
    auto html = fmt::format(
        "<p>The last checkpoint of every training; up to {} picture{} of each prompt. Arrow keys move "
        "between pictures, Enter enlarges one; what it is and scored is written beside it.</p>\n",
        pictures, pictures == 1 ? "" : "s");
    html += gallery_html(grids_, reader, scores, {.side = 96, .pictures = pictures});
    sections_.push_back({"pictures", "Pictures", html});
  }

  [[nodiscard]] std::string body() const {
    std::string html = "<header>\n<h1>" + escape_html(title()) + "</h1>\n<nav aria-label=\"Sections\">";
    for (const auto& section : sections_) {
      html += fmt::format("<a href=\"#{}\">{}</a>", section.id, escape_html(section.title));
    }
    html += "</nav>\n</header>\n<main>\n";
    for (const auto& section : sections_) {
      html += fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n", section.id, escape_html(section.title)) + section.html +
              "</section>\n";
    }
    return html + "</main>\n";
  }

  Index& index_;  // borrowed, as store and options
  const Store& store_;
  const std::string manifest_;
  const ReportOptions& options_;
  const StudyFacts facts_;
  std::vector<std::pair<std::string, Table>> tables_;
  std::vector<ConceptGrid> grids_;
  std::vector<Section> sections_;
  Report report_;
};

}  // namespace

Report make_report(Index& index, const Store& store, const std::string& manifest, const ReportOptions& options) {
  return ReportWriter(index, store, manifest, options).write();
}

}  // namespace atelier::reports
