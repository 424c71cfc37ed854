#include <fmt/format.h>

#include "experiments/pocket/program/commands.h"
#include "experiments/pocket/world/scene_set.h"
#include "framework/cli/options.h"

namespace atelier::pocket {
namespace {

struct DrawOptions {
  std::string split = "train", out;
  std::int64_t count = 0, seed = 0;
};

int draw(const DrawOptions& options) {
  const bool written = write_scene_set({.split = options.split == "train" ? Split::train : Split::test,
                                        .count = options.count,
                                        .seed = static_cast<std::uint64_t>(options.seed)},
                                       options.out);
  fmt::print("{}: {} scenes{}\n", options.out, options.count, written ? "" : ", already there");
  return 0;
}

}  // namespace

void add_draw(CLI::App& root, cli::Action& action) {
  CLI::App* app = root.add_subcommand("draw", "Write a scene set: pictures, masks, captions, attributes");
  const auto options = std::make_shared<DrawOptions>();
  cli::one_of(app->add_option("--split", options->split, "train leaves out what measures prompts and concepts")
                  ->capture_default_str(),
              {"train", "test"});
  cli::whole_number(app->add_option("--count", options->count, "how many pictures")->required(), kImagesPerInstance,
                    1000000);
  cli::whole_number(app->add_option("--seed", options->seed, "another seed, another set")->capture_default_str(), 0,
                    INT64_MAX);
  app->add_option("--out", options->out, "folder to make; kept as it is when it holds this very set")
      ->type_name("DIR")
      ->required();
  app->footer("Example:\n  pocket-world draw --split train --count 30000 --seed 0 --out out/pocket/train\n");
  app->callback([options, &action] { action = [options] { return draw(*options); }; });
}

}  // namespace atelier::pocket
