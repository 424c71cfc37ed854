#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/margins.h"
#include "framework/cli/options.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/feature_distance.h"
#include "reports/feature_file.h"
#include "reports/score_comparison.h"

namespace atelier::cli {
namespace {

struct StatsOptions {
  std::vector<std::string> in, metrics, margins;
  std::string out, baseline, family = "table";
  bool common = false;
  std::int64_t draws = 10000;
  std::uint64_t seed = 0;
};

void add_files(CLI::App& app, StatsOptions& options) {
  existing_file(app.add_option("--in", options.in, "file of scores; may be repeated")
                    ->required()
                    ->allow_extra_args(false)
                    ->type_name("FILE"));
  app.add_option("--metric", options.metrics, "clip_i, clip_t …; may be repeated (default: all)")
      ->allow_extra_args(false)
      ->type_name("METRIC");
  app.add_option("--out", options.out, "JSON file to write")->required()->type_name("FILE");
}

std::vector<reports::ScoreFile> files_of(const StatsOptions& options) {
  std::vector<reports::ScoreFile> files;
  for (const auto& path : options.in) files.push_back(reports::read_score_file(path));
  return files;
}

int write_result(const StatsOptions& options, const Json& result) {
  check_output("--out", options.out);
  write_file_atomically(options.out, pretty_json(result));
  return 0;
}

int summary(const StatsOptions& options) {
  return write_result(options, reports::summarise(files_of(options), options.metrics));
}

int compare(const StatsOptions& options) {
  return write_result(options, reports::compare_scores(files_of(options), {.metrics = options.metrics,
                                                                           .baseline = options.baseline,
                                                                           .by_metric = options.family == "metric",
                                                                           .common = options.common,
                                                                           .margins = read_margins(options.margins),
                                                                           .draws = options.draws,
                                                                           .seed = options.seed}));
}

struct DistanceOptions {
  std::string a, b, out;
  std::vector<std::string> metrics;
  KidRequest kid;
};

bool wants(const DistanceOptions& options, const std::string& metric) {
  return options.metrics.empty() || std::ranges::find(options.metrics, metric) != options.metrics.end();
}

int distance(const DistanceOptions& options) {
  const auto a = reports::read_features(options.a), b = reports::read_features(options.b);
  const auto kid = wants(options, "kid") ? kernel_distance(a, b, options.kid) : std::nullopt;
  const auto fid = wants(options, "fid") ? frechet_distance(a, b) : std::nullopt;
  check_output("--out", options.out);
  write_file_atomically(options.out, pretty_json({{"schema", "atelier.distance/1"},
                                                  {"n_a", a.rows},
                                                  {"n_b", b.rows},
                                                  {"dim", a.width},
                                                  {"kid", or_null(kid)},
                                                  {"fid", or_null(fid)}}));
  return 0;
}

void add_distance(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("distance", "KID and FID between two files of features");
  const auto options = std::make_shared<DistanceOptions>();
  app->add_option("--a", options->a, "safetensors file; its tensor `features` [N, F] unless named")
      ->required()
      ->type_name("FILE[:TENSOR]");
  app->add_option("--b", options->b, "the other side")->required()->type_name("FILE[:TENSOR]");
  one_of(app->add_option("--metric", options->metrics, "may be repeated (default: both)")->allow_extra_args(false),
         {"kid", "fid"});
  whole_number(app->add_option("--subsets", options->kid.subsets, "of KID; 0: one estimate from all rows")
                   ->capture_default_str(),
               0, 1'000'000);
  whole_number(app->add_option("--subset-size", options->kid.subset_size,
                               "rows (default: those of the smaller side, at most 1000)"),
               2, 1'000'000);
  app->add_option("--seed", options->kid.seed, "of the subsets")->capture_default_str();
  app->add_option("--out", options->out, "JSON file to write")->required()->type_name("FILE");
  app->footer(
      "Example:\n  atelier stats distance --a ours.safetensors --b real.safetensors:inception --out distance.json\n");
  app->callback([options, &action] { action = [options] { return distance(*options); }; });
}

void add_summary(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("summary", "Means over concepts with their standard errors, of each file");
  const auto options = std::make_shared<StatsOptions>();
  add_files(*app, *options);
  app->footer("Example:\n  atelier stats summary --in ours.json --in theirs.json --metric clip_i --out summary.json\n");
  app->callback([options, &action] { action = [options] { return summary(*options); }; });
}

void add_compare(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand(
      "compare", "Paired differences over concepts: bootstrap interval, sign-flip test, Holm's correction");
  const auto options = std::make_shared<StatsOptions>();
  add_files(*app, *options);
  app->add_option("--baseline", options->baseline,
                  "name of the file that the others are compared with (default: all pairs)")
      ->type_name("NAME");
  one_of(app->add_option("--family", options->family, "what Holm's correction is over")->capture_default_str(),
         {"table", "metric"});
  app->add_flag("--common", options->common, "take the concepts and prompts that both files have");
  app->add_option("--margin", options->margins, "METRIC=X: equivalent when the interval lies within X; may be repeated")
      ->allow_extra_args(false)
      ->type_name("METRIC=X");
  whole_number(app->add_option("--draws", options->draws, "resamples")->capture_default_str(), 1, 10'000'000);
  app->add_option("--seed", options->seed, "of the resamples")->capture_default_str();
  app->footer(
      "Example:\n  atelier stats compare --in ours.json --in theirs.json --margin clip_i=0.02 --out comparison.json\n");
  app->callback([options, &action] { action = [options] { return compare(*options); }; });
}

}  // namespace

void add_stats(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("stats", "Summaries and comparisons of files of scores, from any program");
  app->require_subcommand(1);
  add_summary(*app, action);
  add_compare(*app, action);
  add_distance(*app, action);
}

}  // namespace atelier::cli
