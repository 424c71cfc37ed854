#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"

namespace atelier::cli {
namespace {

struct ComponentOptions {
  std::string component, model;
  std::optional<std::string> model_config, timings, variant;
  FilePairs files;
  Placement placement;
  std::optional<std::int64_t> threads, repeat;
  bool allow_pickle = false;
};

int run(const ComponentOptions& options) {
  check_file_pairs(options.files);
  if (options.timings) check_output("--timings", *options.timings);
  launch_worker({{"job", "probe.component"},
                 {"component", options.component},
                 {"model", options.model},
                 {"model_config", or_null(options.model_config)},
                 {"in", options.files.in},
                 {"out", options.files.out},
                 {"device", options.placement.device},
                 {"dtype", options.placement.dtype},
                 {"threads", or_null(options.threads)},
                 {"repeat", or_null(options.repeat)},
                 {"timings", or_null(options.timings)},
                 {"variant", or_null(options.variant)},
                 {"allow_pickle", options.allow_pickle}});
}

constexpr const char* kExamples = R"(Examples:
  atelier probe component unet --model sd15 --in step.safetensors --out noise.safetensors
  atelier probe component text_encoder --model sd15 --in a.safetensors --out a_out.safetensors \
                                                    --in b.safetensors --out b_out.safetensors
  atelier probe component vae_decoder --model sd15.ckpt --allow-pickle --in z.safetensors --out x.safetensors
)";

}  // namespace

void add_probe_component(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("component", "Run one model component on tensors from a file");
  const auto options = std::make_shared<ComponentOptions>();
  one_of(app->add_option("name", options->component, "the component")->required(),
         {"unet", "vae_encoder", "vae_decoder", "text_encoder", "text_encoder_2", "image_encoder"});
  existing_path(
      app->add_option("--model", options->model, "pipeline folder (diffusers layout) or single-file checkpoint"), "DIR")
      ->required();
  existing_folder(
      app->add_option("--model-config", options->model_config, "folder with configs and tokenizer, for a single file"));
  add_file_pairs(*app, options->files);
  add_placement(*app, options->placement);
  whole_number(app->add_option("--threads", options->threads, "CPU threads (default: all)"), 1, 1024);
  whole_number(app->add_option("--repeat", options->repeat, "run each input this often, for timing"), 1, 1'000'000);
  app->add_option("--timings", options->timings, "JSON file for the seconds of each run")->type_name("FILE");
  app->add_option("--variant", options->variant, "weight files of this variant, e.g. fp16")->type_name("NAME");
  app->add_flag("--allow-pickle", options->allow_pickle,
                "also read .bin, .pt and .ckpt (tensors only; nothing in them is executed)");
  app->footer(kExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
