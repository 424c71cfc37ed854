#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/error.h"
#include "framework/formats/encoder_source.h"

namespace atelier::cli {
namespace {

struct ComponentOptions {
  std::string component;
  BaseModel base;
  std::optional<std::string> timings;
  FilePairs files;
  Placement placement;
  std::optional<std::int64_t> threads, repeat;
};

/// Image encoders and segmenters have a folder of their own, which is no pipeline's.
bool has_own_folder(const std::string& component) { return component == "image_encoder" || component == "segmenter"; }

/// Throws Error (usage) where there is nothing to read.
void check_own_folder(const ComponentOptions& options) {
  const auto& path = options.base.model;
  if (options.component == "image_encoder") {
    static_cast<void>(
        encoder_files(path, {.variant = options.base.variant.value_or(""), .allow_pickle = options.base.allow_pickle}));
    return;
  }
  if (std::filesystem::is_regular_file(std::filesystem::path(path) / "config.json")) return;
  throw Error({.where = "--model",
               .found = fmt::format("no config.json in '{}'", path),
               .expected = "the folder of a segmenter, with config.json and weights"},
              ErrorKind::usage);
}

int run(const ComponentOptions& options) {
  check_file_pairs(options.files);
  if (options.timings) check_output("--timings", *options.timings);
  if (has_own_folder(options.component)) {
    check_own_folder(options);
  } else {
    check_base_model(options.base);
  }
  Json job = {{"job", "probe.component"},
              {"component", options.component},
              {"in", options.files.in},
              {"out", options.files.out},
              {"device", options.placement.device},
              {"dtype", options.placement.dtype},
              {"threads", or_null(options.threads)},
              {"repeat", or_null(options.repeat)},
              {"timings", or_null(options.timings)}};
  describe_base_model(job, options.base);
  launch_worker(job);
}

constexpr const char* kProbeComponentExamples = R"(Examples:
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
         {"unet", "vae_encoder", "vae_decoder", "text_encoder", "text_encoder_2", "image_encoder", "segmenter"});
  add_base_model(*app, options->base);
  add_file_pairs(*app, options->files);
  add_placement(*app, options->placement);
  whole_number(app->add_option("--threads", options->threads, "CPU threads (default: all)"), 1, 1024);
  whole_number(app->add_option("--repeat", options->repeat, "run each input this often, for timing"), 1, 1'000'000);
  app->add_option("--timings", options->timings, "JSON file for the seconds of each run")->type_name("FILE");
  app->footer(kProbeComponentExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
