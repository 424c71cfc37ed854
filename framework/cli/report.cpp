#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/safe_names.h"
#include "framework/cli/store_option.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/plan/data_folder.h"
#include "framework/store/queries.h"
#include "reports/report.h"
#include "reports/svg_pdf.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

struct ReportCommand {
  std::string study, store, out, figures;
  std::int64_t prompts = 12, pictures = 2;
};

/// What the product's data says of its own origin; a report without it is still one.
std::string data_licences() {
  try {
    return read_text_file(data_folder() / "LICENSES.md");
  } catch (const Error&) {
    return "";
  }
}

/// report-tradeoff.svg and .pdf; with several evaluations report-tradeoff-<name>.svg and .pdf.
void write_figures(const std::map<std::string, std::string>& figures, const fs::path& folder) {
  fs::create_directories(folder);
  std::set<std::string> all;
  for (const auto& [name, svg] : figures) all.insert(name);
  const auto names = safe_names(all);
  for (const auto& [name, svg] : figures) {
    const auto file = folder / (figures.size() == 1 ? "report-tradeoff" : "report-tradeoff-" + names.at(name));
    write_file_atomically(file.string() + ".svg", svg);
    write_file_atomically(file.string() + ".pdf", reports::svg_to_pdf(svg));
    fmt::print("{0}.svg\n{0}.pdf\n", file.string());
  }
}

int write_report(const ReportCommand& options) {
  check_output("--out", options.out);
  if (!options.figures.empty()) check_output_folder("--figures", options.figures);
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const auto report = reports::make_report(*index, store, current_manifest(*index, options.study),
                                           {.study = options.study,
                                            .data_licences = data_licences(),
                                            .prompts = static_cast<std::size_t>(options.prompts),
                                            .pictures = options.pictures});
  write_file_atomically(options.out, report.html);
  fmt::print("{}: {:.1f} MB\n", options.out, static_cast<double>(report.html.size()) / 1e6);
  if (!options.figures.empty()) write_figures(report.figures, options.figures);
  return 0;
}

}  // namespace

void add_report(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("report", "A study as one page of HTML: tables, plots, pictures, origin");
  const auto options = std::make_shared<ReportCommand>();
  app->add_option("study", options->study, "the study's name")->required()->type_name("STUDY");
  app->add_option("--out", options->out, "page to write; it needs no other file")->required()->type_name("FILE");
  app->add_option("--figures", options->figures, "folder for the plots as SVG and PDF files")->type_name("DIR");
  whole_number(
      app->add_option("--prompts", options->prompts, "most prompts in the grids of pictures")->capture_default_str(), 1,
      1000);
  whole_number(app->add_option("--pictures", options->pictures, "most pictures of each prompt")->capture_default_str(),
               1, 64);
  add_store(*app, options->store);
  app->footer(
      "Examples:\n  atelier report demo --out report.html\n"
      "  atelier report demo --out report.html --figures figures --prompts 6\n");
  app->callback([options, &action] { action = [options] { return write_report(*options); }; });
}

}  // namespace atelier::cli
