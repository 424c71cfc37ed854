#include <memory>
#include <nlohmann/json.hpp>

#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/schedulers.h"
#include "framework/cli/worker_launch.h"

namespace atelier::cli {
namespace {

struct SchedulerOptions {
  std::string scheduler;
  BaseModel base;
  std::int64_t steps = 0;
  std::vector<std::string> settings;
  FilePairs files;
  Placement placement;
};

int run(const SchedulerOptions& options) {
  check_file_pairs(options.files);
  check_base_model(options.base);
  Json job = {{"job", "probe.scheduler"},
              {"scheduler", options.scheduler},
              {"steps", options.steps},
              {"set", parse_settings(options.settings)},
              {"in", options.files.in},
              {"out", options.files.out},
              {"device", options.placement.device},
              {"dtype", options.placement.dtype}};
  describe_base_model(job, options.base);
  launch_worker(job);
}

constexpr const char* kProbeSchedulerExamples =
    R"(Reads `sample` [B,4,h,w], `noise_pred` [N,B,4,h,w] and, where noise is drawn, `step_noise`. Writes `timesteps`,
`sigmas` where the scheduler has them, and `samples` [N+1,B,4,h,w].

Examples:
  atelier probe scheduler ddim --model sd15 --steps 50 --in walk.safetensors --out states.safetensors
  atelier probe scheduler dpmpp_2m --model sd15 --steps 20 --set final_sigmas_type=sigma_min \
                 --in walk.safetensors --out states.safetensors
)";

}  // namespace

void add_probe_scheduler(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("scheduler", "Walk one noise scheduler over given noise predictions");
  const auto options = std::make_shared<SchedulerOptions>();
  one_of(app->add_option("name", options->scheduler, "the scheduler")->required(), scheduler_names());
  add_base_model(*app, options->base);
  whole_number(app->add_option("--steps", options->steps, "number of inference steps")->required(), 1, 100'000);
  add_settings(*app, options->settings, "a key of the scheduler's config; may be repeated");
  add_file_pairs(*app, options->files);
  add_placement(*app, options->placement);
  app->footer(kProbeSchedulerExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
