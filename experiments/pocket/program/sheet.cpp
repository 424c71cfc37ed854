#include <fmt/format.h>

#include "experiments/pocket/program/commands.h"
#include "experiments/pocket/world/sheet.h"
#include "framework/cli/options.h"
#include "framework/image/encode.h"

namespace atelier::pocket {
namespace {

struct SheetOptions {
  std::string what = "classes", out;
  std::int64_t columns = 10, scale = 2, seed = 0;
  bool masks = false;
};

int sheet(const SheetOptions& options) {
  cli::check_output("--out", options.out);
  const auto rows =
      sheet_scenes(options.what, static_cast<std::uint64_t>(options.seed), static_cast<int>(options.columns));
  write_png(options.out, contact_sheet(rows, static_cast<int>(options.scale), options.masks));
  return 0;
}

}  // namespace

void add_sheet(CLI::App& root, cli::Action& action) {
  CLI::App* app = root.add_subcommand("sheet", "Write a contact sheet to look at");
  const auto options = std::make_shared<SheetOptions>();
  cli::one_of(app->add_option("--show", options->what, "what each row has; train and test: scenes as drawn")
                  ->capture_default_str(),
              sheet_names());
  cli::whole_number(app->add_option("--columns", options->columns, "pictures in a row")->capture_default_str(), 1, 100);
  cli::whole_number(
      app->add_option("--scale", options->scale, "screen pixels for one of the picture")->capture_default_str(), 1, 16);
  cli::whole_number(app->add_option("--seed", options->seed, "another seed, other scenes")->capture_default_str(), 0,
                    INT64_MAX);
  app->add_flag("--masks", options->masks, "the masks instead of the pictures");
  app->add_option("--out", options->out, "PNG to write")->type_name("FILE")->required();
  app->footer("Example:\n  pocket-world sheet --show places --scale 4 --out places.png\n");
  app->callback([options, &action] { action = [options] { return sheet(*options); }; });
}

}  // namespace atelier::pocket
