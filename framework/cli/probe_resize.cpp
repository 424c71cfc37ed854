#include <memory>
#include <optional>

#include "framework/cli/command.h"
#include "framework/cli/image_output.h"
#include "framework/cli/options.h"
#include "framework/image/resize.h"
#include "framework/image/settings.h"

namespace atelier::cli {
namespace {

struct ResizeOptions {
  std::string image, out;
  std::string method = "pil-bicubic";
  std::optional<std::string> size;
  std::vector<std::string> settings;
};

/// [H, W, 3] under the name `image`.
template <typename Picture>
void write_picture(const std::string& path, const Picture& picture) {
  write_tensor(path, "image", view_of(std::span(picture.pixels), {picture.height, picture.width, Picture::kChannels}));
}

int run(const ResizeOptions& options) {
  const ResizeMethod method = parse_resize_method(options.method, "--method");
  std::optional<Size> size;
  if (options.size) size = parse_size("--size", *options.size, 1);
  check_output("--out", options.out);
  check_image_settings(options.settings, {"exif", "alpha"});
  FrontEndOptions settings;
  for (const auto& setting : options.settings) apply_image_setting(settings, setting);
  const Image image = load_image(options.image, {.exif = settings.exif, .alpha = settings.alpha});
  if (is_eight_bit(method)) {
    write_picture(options.out, size ? resize(image, *size, method) : image);
  } else {
    write_picture(options.out, size ? resize(to_float(image), *size, method) : to_float(image));
  }
  return 0;
}

constexpr const char* kProbeResizeExamples =
    R"(Writes `image` [H,W,3]: 8 bit for the pil-* methods, float32 on 0..255 for the others.
Without --size the picture is only decoded. Settings: exif=apply|ignore,
alpha=refuse|drop|COLOUR (black, white, grey, #rrggbb).

Examples:
  atelier probe resize --image cat.jpg --size 224x224 --out resized.safetensors
  atelier probe resize --image cat.png --method t-bicubic-aa --size 256x256 --set alpha=white --out resized.safetensors
)";

}  // namespace

void add_probe_resize(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("resize", "Decode a picture, and resize it by one of the named methods");
  const auto options = std::make_shared<ResizeOptions>();
  existing_file(app->add_option("--image", options->image, "JPEG, PNG or WebP"))->required();
  app->add_option("--size", options->size, "width x height in pixels")->type_name("WxH");
  one_of(app->add_option("--method", options->method, "resampling")->capture_default_str(), resize_method_names());
  add_settings(*app, options->settings, "a setting, see below; may be repeated");
  app->add_option("--out", options->out, "safetensors file to write")->required()->type_name("FILE");
  app->footer(kProbeResizeExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
