#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"

namespace atelier::cli {
namespace {

struct BaseMeasureOptions {
  std::string quality, data, base;
  std::vector<std::string> only;
  std::optional<std::string> pictures;
  Placement placement;
  std::optional<std::int64_t> threads;
  bool json = false;
};

Json job_of(const BaseMeasureOptions& options) {
  return {{"job", "base.measure"},
          {"quality", options.quality},
          {"data", options.data},
          {"base", options.base},
          {"only", options.only},
          {"pictures", or_null(options.pictures)},
          {"device", options.placement.device},
          {"dtype", options.placement.dtype},
          {"threads", or_null(options.threads)},
          {"json", options.json}};
}

constexpr const char* kBaseMeasureExamples = R"(Examples:
  atelier base measure experiments/pocket/quality.yaml --data out/pocket/data --base out/pocket/base
  atelier base measure experiments/pocket/quality.yaml --data out/pocket/data --base out/pocket/base \
      --only vae --only clip --pictures out/pocket/pictures --json
Exit code 1 when a quantity is below what the file wants.
)";

}  // namespace

void add_base_measure(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("measure", "Measure a base model against what a file wants of it");
  const auto options = std::make_shared<BaseMeasureOptions>();
  existing_file(
      app->add_option("quality", options->quality, "scene sets, prompts and thresholds, a YAML file")->required());
  existing_folder(app->add_option("--data", options->data, "folder that holds the file's scene sets")->required());
  existing_folder(app->add_option("--base", options->base, "folder of the pipeline")->required());
  one_of(
      app->add_option("--only", options->only, "measure this section alone; may be repeated")->allow_extra_args(false),
      {"vae", "clip", "segmenter", "judge", "samples", "swaps"});
  app->add_option("--pictures", options->pictures, "folder for contact sheets of what was measured")->type_name("DIR");
  add_placement(*app, options->placement);
  whole_number(app->add_option("--threads", options->threads, "CPU threads (default: all)"), 1, 1024);
  app->add_flag("--json", options->json, "one JSON object instead of the table");
  app->footer(kBaseMeasureExamples);
  app->callback([options, &action] {
    action = [options]() -> int {
      if (options->pictures) check_output_folder("--pictures", *options->pictures);
      launch_worker(job_of(*options));
    };
  });
}

}  // namespace atelier::cli
