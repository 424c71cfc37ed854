#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/run_lookup.h"
#include "framework/cli/store_option.h"
#include "framework/core/text.h"
#include "framework/image/encode.h"
#include "reports/mask_sheet.h"

namespace atelier::cli {
namespace {

struct ShowOptions {
  std::string run, store, masks;
  std::int64_t cell = 128;
  bool json = false;
};

Json parsed(const std::string& text) { return text.empty() ? Json() : parse_json(text, "index"); }

Json json_of(const ArtifactInfo& artifact, const Store& store) {
  return {{"job", artifact.job},
          {"kind", artifact.kind},
          {"key", artifact.key},
          {"object", artifact.object.empty() ? Json() : Json(artifact.object)},
          {"step", artifact.step ? Json(*artifact.step) : Json()},
          {"prompt", artifact.prompt},
          {"evaluations", artifact.evaluations},
          {"divergent", artifact.divergent},
          {"released", store.released(artifact.key)},
          {"summary", parsed(artifact.summary)}};
}

/// What is said about an artifact in one line: the facts of its summary that are numbers or short texts.
std::string facts_of(const ArtifactInfo& artifact) {
  std::string text;
  const Json summary = parsed(artifact.summary);
  if (!summary.is_object()) return text;
  for (const auto& [name, value] : summary.items()) {
    if (value.is_number()) text += fmt::format("  {} {}", name, value.dump());
  }
  return text;
}

void print_artifact(const ArtifactInfo& artifact, const Store& store) {
  std::string what = artifact.kind;
  if (artifact.step) what += fmt::format(" step {}", *artifact.step);
  if (!artifact.prompt.empty()) what += " \"" + artifact.prompt + "\"";
  if (!artifact.evaluations.empty()) what += " for " + join(artifact.evaluations);
  fmt::print("  {}\n    key    {}\n    object {}{}{}\n", what, artifact.key,
             artifact.object.empty() ? "(not made yet)" : artifact.object,
             artifact.divergent ? "  (other bytes came out under this key too)" : "",
             store.released(artifact.key) ? "  (removed after it was scored: keep)" : "");
  if (const auto facts = facts_of(artifact); !facts.empty()) fmt::print("   {}\n", facts);
}

/// A picture of the run's pictures under their masks, and a line for each of its rows.
int show_masks(const ShowOptions& options, const Store& store, const FoundRun& run) {
  check_output("--masks", options.masks);
  const int side = static_cast<int>(options.cell);
  const auto rows = reports::read_mask_rows(store, store.manifest(run.manifest), run.info.run,
                                            reports::MaskSheetOptions{.side = side});
  const Image sheet = reports::draw_mask_rows(rows, side);
  write_png(options.masks, sheet);
  if (options.json) {
    Json out{{"file", options.masks}, {"rows", Json::array()}};
    for (const auto& row : rows) {
      out["rows"].push_back({{"prompt", row.label}, {"text", row.text}, {"foreground", row.foreground}});
    }
    fmt::print("{}", pretty_json(out));
    return 0;
  }
  fmt::print("{}: {} x {} pixels; in each row the pictures k = 0, 1, …\n", options.masks, sheet.width, sheet.height);
  for (const auto& row : rows) {
    const auto empty = std::ranges::count_if(row.foreground, [](double share) { return share <= 0; });
    double sum = 0;
    for (const double share : row.foreground) sum += share;
    fmt::print("  {:<44} {} masks, foreground {:.1f} %{}\n", row.text.empty() ? row.label : row.text,
               row.foreground.size(), 100 * sum / static_cast<double>(std::max<std::size_t>(1, row.foreground.size())),
               empty == 0 ? "" : fmt::format(", {} without foreground", empty));
  }
  return 0;
}

int show(const ShowOptions& options) {
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const FoundRun run = find_run(*index, options.run);
  if (!options.masks.empty()) return show_masks(options, store, run);
  const auto artifacts = artifacts_of(*index, run.manifest, run.info.run);
  const auto rows =
      index->query("SELECT options FROM run WHERE manifest = ?1 AND run = ?2", {run.manifest, run.info.run});
  const Json chosen = rows.empty() ? Json() : parsed(text_of(rows.front().at(0)));
  if (options.json) {
    Json out{{"run", run.info.run},
             {"study", run.study},
             {"manifest", run.manifest},
             {"label", run.info.label},
             {"method", run.info.method},
             {"concept", run.info.concept_name},
             {"preset", run.info.preset},
             {"seed", run.info.seed ? Json(*run.info.seed) : Json()},
             {"checkpoint", run.info.checkpoint ? Json(*run.info.checkpoint) : Json()},
             {"options", chosen},
             {"artifacts", Json::array()}};
    for (const auto& artifact : artifacts) out["artifacts"].push_back(json_of(artifact, store));
    fmt::print("{}", pretty_json(out));
    return 0;
  }
  fmt::print("run {} of {}: {}\nmethod {}, concept {}, seed {}, preset {}\n", run.info.run, run.study, run.info.label,
             run.info.method, run.info.concept_name, run.info.seed ? std::to_string(*run.info.seed) : "-",
             run.info.preset.empty() ? "-" : run.info.preset);
  if (run.info.checkpoint) fmt::print("checkpoint: step {}\n", *run.info.checkpoint);
  if (chosen.is_object()) {
    for (const auto& [name, value] : chosen.items()) fmt::print("  {} = {}\n", name, value.dump());
  }
  for (const auto& artifact : artifacts) print_artifact(artifact, store);
  return 0;
}

}  // namespace

void add_show(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("show", "A run: its options, what it made, and where that lies");
  const auto options = std::make_shared<ShowOptions>();
  app->add_option("run", options->run, "the first letters of the run's id")->required()->type_name("RUN");
  app->add_option("--masks", options->masks,
                  "write the run's photos and pictures under their masks as one PNG: background darkened, foreground "
                  "outlined, a row a prompt")
      ->type_name("FILE");
  whole_number(app->add_option("--cell", options->cell, "side of a picture there, in pixels")->capture_default_str(),
               16, 4096);
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON");
  app->callback([options, &action] { action = [options] { return show(*options); }; });
}

}  // namespace atelier::cli
