#include <fmt/format.h>

#include <memory>
#include <optional>

#include "framework/cli/command.h"
#include "framework/cli/image_output.h"
#include "framework/cli/options.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/front_ends.h"
#include "framework/image/settings.h"

namespace atelier::cli {
namespace {

struct PreprocessOptions {
  std::string recipe, image, out;
  std::optional<std::string> mask;
  std::vector<std::string> settings;
};

FrontEnd find_recipe(const std::string& recipe) {
  constexpr std::string_view kTrain = "train:";
  if (!recipe.starts_with(kTrain)) return parse_front_end(recipe, "--recipe");
  throw Error({.where = "--recipe",
               .found = fmt::format("no method '{}' is installed", recipe.substr(kTrain.size())),
               .expected = "one of " + join(front_end_ids())},
              ErrorKind::usage);
}

int run(const PreprocessOptions& options) {
  const FrontEnd front_end = find_recipe(options.recipe);
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

constexpr const char* kProbePreprocessExamples =
    R"(Writes `pixel_values` [1,3,S,S] float32: what the recipe's encoder is given for this picture.

Settings: exif=apply|ignore, alpha=refuse|drop|official|COLOUR, fill=COLOUR, threshold=0..255; for ti-tensor also
size=N, resize=t-bicubic|t-bicubic-aa, role=reference|generated. COLOUR: black, white, grey, #rrggbb.

Examples:
  atelier probe preprocess --recipe clip-openai --image cat.jpg --out pixels.safetensors
  atelier probe preprocess --recipe dino-orig --image cat.png --mask cat_mask.png --set fill=white \
                           --out pixels.safetensors
)";

}  // namespace

void add_probe_preprocess(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("preprocess", "Turn a picture into an encoder's input");
  const auto options = std::make_shared<PreprocessOptions>();
  app->add_option("--recipe", options->recipe, "front end: " + join(front_end_ids()))->required()->type_name("ID");
  existing_file(app->add_option("--image", options->image, "JPEG, PNG or WebP"))->required();
  existing_file(app->add_option("--mask", options->mask,
                                "grey picture of the same size: the background becomes the fill colour"));
  add_settings(*app, options->settings, "a setting, see below; may be repeated");
  app->add_option("--out", options->out, "safetensors file to write")->required()->type_name("FILE");
  app->footer(kProbePreprocessExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
