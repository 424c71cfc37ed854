#include <fmt/format.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/cli/command.h"
#include "framework/cli/image_output.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/front_ends.h"
#include "framework/image/settings.h"
#include "framework/plan/plugins.h"
#include "framework/store/digest_cache.h"

namespace atelier::cli {
namespace {

constexpr std::string_view kTrain = "train:";

struct PreprocessOptions {
  std::string recipe, image, out;
  std::optional<std::string> mask, draws, draws_out;
  std::vector<std::string> settings;
  std::optional<std::int64_t> size, seed;
};

[[noreturn]] void refuse(const char* option, const std::string& recipe, const char* expected) {
  throw Error({.where = option, .found = "--recipe " + recipe, .expected = expected}, ErrorKind::usage);
}

/// What an encoder is given: no part of it is random.
int preprocess_for_encoder(const PreprocessOptions& options) {
  const FrontEnd front_end = parse_front_end(options.recipe, "--recipe");
  for (const auto& [given, option] :
       {std::pair(options.size.has_value(), "--size"), std::pair(options.seed.has_value(), "--seed"),
        std::pair(options.draws.has_value(), "--draws"), std::pair(options.draws_out.has_value(), "--draws-out")}) {
    if (given) refuse(option, options.recipe, "train:METHOD, whose pictures are drawn");
  }
  check_output("--out", options.out);
  check_image_settings(options.settings, {});
  FrontEndOptions settings;
  for (const auto& setting : options.settings) apply_image_setting(settings, setting);
  std::optional<Mask> mask;
  if (options.mask) mask = load_mask(*options.mask, settings.exif);
  const PixelValues pixels = preprocess(front_end, options.image, settings, mask ? &*mask : nullptr);
  write_tensor(options.out, "pixel_values",
               view_of(std::span(pixels.values), {pixels.shape.begin(), pixels.shape.end()}));
  return 0;
}

/// One picture as the method's training would see it.
int preprocess_for_training(const PreprocessOptions& options) {
  if (options.mask) refuse("--mask", options.recipe, "an encoder's recipe: training pictures have their background");
  if (!options.settings.empty()) refuse("--set", options.recipe, "an encoder's recipe: a method's are --size");
  DigestCache digests;
  const PluginCatalog plugins(digests);
  const PluginDescription& plugin = plugins.find(options.recipe.substr(kTrain.size()));
  check_output("--out", options.out);
  if (options.draws_out) check_output("--draws-out", *options.draws_out);
  Json chosen = Json::object();
  if (options.size) chosen["resolution"] = *options.size;
  launch_worker({{"job", "probe.picture"},
                 {"plugin", plugin.library.string()},
                 {"options", resolve_options(plugin.method, "", chosen, "--size")},
                 {"image", options.image},
                 {"seed", options.seed.value_or(0)},
                 {"draws", options.draws ? read_json_file(*options.draws) : Json()},
                 {"draws_file", options.draws.value_or("")},
                 {"draws_out", or_null(options.draws_out)},
                 {"out", options.out}});
}

int run(const PreprocessOptions& options) {
  return options.recipe.starts_with(kTrain) ? preprocess_for_training(options) : preprocess_for_encoder(options);
}

constexpr const char* kProbePreprocessExamples =
    R"(Writes `pixel_values` [1,3,S,S] float32: what the recipe's encoder is given for this picture, or, with train:METHOD,
one picture that the method's training makes of it. Its random parts are those of the first row of a training with --seed;
--draws-out writes what was drawn, --draws takes such a file instead.

Settings: exif=apply|ignore, alpha=refuse|drop|official|COLOUR, fill=COLOUR, threshold=0..255; for ti-tensor also
size=N, resize=t-bicubic|t-bicubic-aa, role=reference|generated. COLOUR: black, white, grey, #rrggbb.

Examples:
  atelier probe preprocess --recipe clip-openai --image cat.jpg --out pixels.safetensors
  atelier probe preprocess --recipe dino-orig --image cat.png --mask cat_mask.png --set fill=white \
                           --out pixels.safetensors
  atelier probe preprocess --recipe train:attndreambooth --image cat.jpg --size 512 --seed 3 --draws-out draws.json \
                           --out pixels.safetensors
)";

}  // namespace

void add_probe_preprocess(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("preprocess", "Turn a picture into an encoder's input");
  const auto options = std::make_shared<PreprocessOptions>();
  app->add_option("--recipe", options->recipe, "train:METHOD, or a front end: " + join(front_end_ids()))
      ->required()
      ->type_name("ID");
  existing_file(app->add_option("--image", options->image, "JPEG, PNG or WebP"))->required();
  existing_file(app->add_option("--mask", options->mask,
                                "grey picture of the same size: the background becomes the fill colour"));
  add_settings(*app, options->settings, "a setting, see below; may be repeated");
  whole_number(
      app->add_option("--size", options->size, "train: side of the picture (default: the method's resolution)"), 8,
      8192);
  whole_number(app->add_option("--seed", options->seed, "train: of the random parts (default: 0)"), 0,
               std::numeric_limits<std::int64_t>::max());
  existing_file(app->add_option("--draws", options->draws, "train: JSON with the random parts, instead of a seed"))
      ->excludes("--seed");
  app->add_option("--draws-out", options->draws_out, "train: write the random parts")->type_name("FILE");
  app->add_option("--out", options->out, "safetensors file to write")->required()->type_name("FILE");
  app->footer(kProbePreprocessExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
