#include <fmt/format.h>

#include <memory>

#include "framework/cli/arguments.h"
#include "framework/cli/command.h"
#include "framework/cli/eval_request.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"

namespace atelier::cli {
namespace {

constexpr const char* kEvalExamples =
    R"(Folders: GENERATED/<concept>/<prompt id>/* and REFERENCES/<concept>/*, .png, .jpg or .jpeg. The sheet names concepts and
prompts (schema eval_sheet/1).

Settings: text_rule=drop|class|edit|verbatim, frontend.ROLE=ID, exif=apply|ignore, alpha=refuse|drop|official|COLOUR,
fill=COLOUR, threshold=0..255, size=N, resize=t-bicubic|t-bicubic-aa, pos_interp=offset0.1|size. COLOUR: black, white,
grey, #rrggbb.

Examples:
  atelier eval --protocol ti_code --generated out/ours --references photos --prompts sheet.yaml \
               --encoder clip=clip-vit-base-patch32 --out ours.json
  atelier eval --protocol core_masked --generated out/ours --references photos --masks masks --prompts sheet.yaml \
               --encoder clip=clip-vit-large-patch14 dino=dino-vits16 --set fill=white --out ours.json
)";

}  // namespace

void add_eval(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("eval", "Score folders of pictures, from any program, by a protocol");
  const auto options = std::make_shared<EvalOptions>();
  app->add_option("--protocol", options->protocol, "ti_code, dreambooth, …: how pictures are scored")
      ->required()
      ->type_name("ID");
  existing_folder(app->add_option("--generated", options->generated, "pictures to score"))->required();
  existing_folder(app->add_option("--references", options->references, "photos of the concepts"))->required();
  existing_file(app->add_option("--prompts", options->sheet, "YAML: concepts and prompts"))->required();
  app->add_option("--encoder", options->encoders, "folder of an encoder, e.g. clip=DIR; one for each of the protocol")
      ->required()
      ->allow_extra_args(false)
      ->type_name(std::string("ROLE=DIR") + kSeveral);
  auto* masks = existing_folder(app->add_option("--masks", options->masks, "grey pictures of the foregrounds"));
  existing_folder(app->add_option("--removed", options->removed, "pictures without their background"))->excludes(masks);
  app->add_option("--text-features", options->text_features,
                  "safetensors file with vectors of the texts, e.g. clip=FILE")
      ->allow_extra_args(false)
      ->type_name(std::string("ROLE=FILE") + kSeveral);
  add_settings(*app, options->settings, "a setting, see below; may be repeated");
  app->add_option("--name", options->name, "of the scores (default: last folder of --generated)")->type_name("NAME");
  app->add_flag("--pairs", options->pairs, "also the score of every picture with every reference");
  app->add_option("--features-out", options->features_out, "folder for the encoders' vectors")->type_name("DIR");
  add_device(*app, options->device);
  app->add_option("--out", options->out, "JSON file to write")->required()->type_name("FILE");
  app->footer(kEvalExamples);
  app->callback([options, &action] { action = [options]() -> int { launch_worker(eval_job(*options)); }; });
}

}  // namespace atelier::cli
