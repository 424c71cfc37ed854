#include <fmt/format.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/cli/arguments.h"
#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/edit_options.h"
#include "framework/cli/options.h"
#include "framework/cli/prompts.h"
#include "framework/cli/schedulers.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/error.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

struct What {
  BaseModel base;
  std::string out;
  std::optional<std::string> placeholder, prompts_file, negative, base_prompt, class_word;
  std::vector<std::string> artifacts, artifact_settings, prompts, attention_words;
};

struct How {
  std::int64_t images = 1, seed = 0, steps = 50;
  std::optional<double> guidance, reward_guidance;
  double lora_scale = 1.0;
  std::optional<std::string> scheduler, size, latents_in, latents_out;
  std::vector<std::string> settings;
  std::optional<std::int64_t> threads, batch, preview_every;
  Placement placement;
  bool json = false;
};

struct SampleOptions {
  What what;
  How how;
  EditOptions edit;
};

[[noreturn]] void refuse(std::string where, std::string found, std::string expected) {
  throw Error({.where = std::move(where), .found = std::move(found), .expected = std::move(expected)},
              ErrorKind::usage);
}

std::vector<std::string> prompts_of(const What& what) {
  if (what.prompts.empty() == !what.prompts_file) {
    refuse("--prompt, --prompts", what.prompts_file ? "both" : "neither", "one of them");
  }
  return what.prompts_file ? read_prompts(*what.prompts_file) : what.prompts;
}

Json artifacts_of(const What& what) {
  Json artifacts = Json::array();
  for (const auto& text : what.artifacts) {
    const auto [path, weight] = parse_weighted_path("--artifact", text);
    artifacts.push_back({{"path", path}, {"weight", weight}});
  }
  return artifacts;
}

Json size_of(const How& how) {
  if (!how.size) return nullptr;
  const Size size = parse_size("--size", *how.size, 8);
  return {size.width, size.height};
}

void check(const What& what, const How& how) {
  if (how.reward_guidance && !what.base_prompt) {
    refuse("--reward-guidance", "no --base-prompt",
           "the prompt of the base model, which the reward is measured against");
  }
  check_output_folder("--out", what.out);
  check_base_model(what.base);
  if (how.latents_out) check_output("--latents-out", *how.latents_out);
}

Json job_of(const What& what, const How& how, const EditOptions& edit) {
  Json job = {{"job", "sample"},
              {"artifacts", artifacts_of(what)},
              {"artifact_settings", parse_settings(what.artifact_settings, "--artifact-set")},
              {"placeholder", or_null(what.placeholder)},
              {"prompts", prompts_of(what)},
              {"images", how.images},
              {"seed", how.seed},
              {"steps", how.steps},
              {"guidance", how.guidance ? *how.guidance : default_guidance(what.base)},
              {"scheduler", or_null(how.scheduler)},
              {"scheduler_set", parse_settings(how.settings)},
              {"size", size_of(how)},
              {"out", what.out},
              {"latents_in", or_null(how.latents_in)},
              {"latents_out", or_null(how.latents_out)},
              {"negative", or_null(what.negative)},
              {"base_prompt", or_null(what.base_prompt)},
              {"reward_guidance", or_null(how.reward_guidance)},
              {"class_word", or_null(what.class_word)},
              {"lora_scale", how.lora_scale},
              {"device", how.placement.device},
              {"dtype", how.placement.dtype},
              {"threads", or_null(how.threads)},
              {"batch", or_null(how.batch)},
              {"preview_every", or_null(how.preview_every)},
              {"attention_maps", what.attention_words},
              {"edit", edit_json(edit)},
              {"json", how.json}};
  describe_base_model(job, what.base);
  return job;
}

void add_what(CLI::App& app, What& what) {
  add_base_model(app, what.base);
  app.add_option("--artifact", what.artifacts, "what a method learned: LoRA, embedding, …; may be repeated")
      ->allow_extra_args(false)
      ->type_name(std::string("FILE[:WEIGHT]") + kSeveral);
  app.add_option("--artifact-set", what.artifact_settings,
                 "what an artifact of a method's own program does not say, as its method names it; may be repeated")
      ->allow_extra_args(false)
      ->type_name(std::string("KEY=VALUE") + kSeveral);
  app.add_option("--placeholder", what.placeholder, "the learned token, where the artifact does not name it")
      ->type_name("TOKEN");
  app.add_option("--class", what.class_word, "class word of the concept")->type_name("WORD");
  app.add_option("--prompt", what.prompts, "prompts; '{}' becomes the method's phrase")
      ->allow_extra_args(false)
      ->type_name(std::string("TEXT") + kSeveral);
  existing_file(app.add_option("--prompts", what.prompts_file, "text file with one prompt a line"));
  app.add_option("--negative", what.negative, "negative prompt")->type_name("TEXT");
  app.add_option("--base-prompt", what.base_prompt, "prompt for the base model, with --reward-guidance")
      ->type_name("TEXT");
  app.add_option("--attention-maps", what.attention_words,
                 "also write where these words of the prompts are looked at; '{}' as in prompts")
      ->allow_extra_args(false)
      ->type_name(std::string("WORD") + kSeveral);
  app.add_option("--out", what.out, "folder for the pictures, one folder a prompt")->required()->type_name("DIR");
}

void add_how(CLI::App& app, How& how) {
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max() / 2;
  whole_number(app.add_option("-n,--images", how.images, "pictures of each prompt")->capture_default_str(), 1,
               1'000'000);
  whole_number(app.add_option("--seed", how.seed, "picture i of a prompt starts from seed N+i")->capture_default_str(),
               0, kLargest);
  whole_number(app.add_option("--steps", how.steps, "number of inference steps")->capture_default_str(), 1, 100'000);
  real_number(app.add_option("--guidance", how.guidance, "guidance scale (default: 7.5; SDXL 5)"));
  real_number(app.add_option("--reward-guidance", how.reward_guidance, "three-way guidance of DCO"));
  real_number(app.add_option("--lora-scale", how.lora_scale, "factor on all adapters")->capture_default_str());
  one_of(app.add_option("--scheduler", how.scheduler, "noise scheduler (default: the model's)"), scheduler_names());
  add_settings(app, how.settings, "a key of the scheduler's config; may be repeated");
  app.add_option("--size", how.size, "width x height in pixels, multiples of 8 (default: the model's)")
      ->type_name("WxH");
  existing_file(app.add_option("--latents-in", how.latents_in,
                               "start from `latents` of this safetensors file, of unit variance"));
  app.add_option("--latents-out", how.latents_out, "write the final `latents`, before decoding")->type_name("FILE");
  add_placement(app, how.placement);
  whole_number(app.add_option("--threads", how.threads, "CPU threads (default: all)"), 1, 1024);
  whole_number(app.add_option("--batch", how.batch, "pictures computed at once"), 1, 4096);
  whole_number(app.add_option("--preview-every", how.preview_every, "write a preview every N steps"), 1, 100'000);
  app.add_flag("--json", how.json, "one JSON object a picture on standard output");
}

constexpr const char* kSampleExamples = R"(Examples:
  atelier sample --model sd15 --prompt "a photo of a cat" -n 4 --seed 7 --out out
  atelier sample --model sd15 --artifact cat.safetensors:0.8 --prompts prompts.txt \
                 --scheduler dpmpp_2m --steps 25 --out out
  atelier sample --model sdxl --artifact dog.safetensors --prompt "a {} in a hat" --base-prompt "a dog in a hat" \
                 --reward-guidance 3 --size 1024x1024 --out out
  atelier sample --model sd15 --prompt "a red cat on the beach" --attention-maps cat --attention-maps beach --out out
  atelier sample --model sd15 --prompt "a red cat on the beach" --edit "a red dog on the beach" \
                 --blend cat --blend dog --scheduler ddim --out out
)";

}  // namespace

void add_sample(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("sample", "Make pictures from prompts with a base model and learned artifacts");
  const auto options = std::make_shared<SampleOptions>();
  add_what(*app, options->what);
  add_edit_options(*app, options->edit);
  add_how(*app, options->how);
  app->footer(kSampleExamples);
  app->callback([options, &action] {
    action = [options]() -> int {
      check(options->what, options->how);
      launch_worker(job_of(options->what, options->how, options->edit));
    };
  });
}

}  // namespace atelier::cli
