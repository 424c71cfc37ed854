#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"

namespace atelier::cli {
namespace {

struct BaseTrainOptions {
  std::string recipe, data, out;
  Placement placement;
  std::optional<std::int64_t> threads, steps;
  bool json = false;
};

Json job_of(const BaseTrainOptions& options) {
  return {{"job", "base.train"},
          {"recipe", options.recipe},
          {"data", options.data},
          {"out", options.out},
          {"device", options.placement.device},
          {"dtype", options.placement.dtype},
          {"threads", or_null(options.threads)},
          {"steps", or_null(options.steps)},
          {"json", options.json}};
}

constexpr const char* kBaseTrainExamples = R"(Examples:
  atelier base train experiments/pocket/recipes/vae.yaml --data out/pocket/data --out out/pocket/base --dtype bfloat16
  atelier base train experiments/pocket/recipes/unet.yaml --data out/pocket/data --out out/pocket/base --device cuda:0
)";

}  // namespace

void add_base_train(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("train", "Train one component of a base model by a recipe, or go on with it");
  const auto options = std::make_shared<BaseTrainOptions>();
  existing_file(app->add_option("recipe", options->recipe, "the recipe, a YAML file")->required());
  existing_folder(app->add_option("--data", options->data, "folder that holds the recipe's scene sets")->required());
  app->add_option("--out", options->out, "folder of the pipeline: the component goes into a folder of its name")
      ->required()
      ->type_name("DIR");
  add_placement(*app, options->placement);
  whole_number(app->add_option("--threads", options->threads, "CPU threads (default: all)"), 1, 1024);
  whole_number(app->add_option("--steps", options->steps, "number of steps (default: the recipe's)"), 1, 100'000'000);
  app->add_flag("--json", options->json, "one JSON object an event on standard output");
  app->footer(kBaseTrainExamples);
  app->callback([options, &action] {
    action = [options]() -> int {
      check_output_folder("--out", options->out);
      launch_worker(job_of(*options));
    };
  });
}

}  // namespace atelier::cli
