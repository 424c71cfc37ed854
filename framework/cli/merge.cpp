#include "framework/formats/merge.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/core/error.h"
#include "framework/core/progress.h"
#include "framework/core/text.h"
#include "framework/formats/model_locator.h"

namespace atelier::cli {
namespace {

struct MergeOptions {
  std::vector<std::string> inputs;
  std::string out, as = "concat", dtype = "keep";
  BaseModel base;
  bool json = false;
};

std::vector<MergeInput> inputs_of(const std::vector<std::string>& texts) {
  std::vector<MergeInput> inputs;
  for (const auto& text : texts) {
    const auto [path, weight] = parse_weighted_path("FILE", text);
    inputs.push_back({path, weight});
  }
  return inputs;
}

/// Of the weights that take a sum; nothing: as the base model has them.
std::optional<Dtype> summed_dtype(const std::string& name) {
  if (name == "float32") return Dtype::f32;
  if (name == "float16") return Dtype::f16;
  if (name == "bfloat16") return Dtype::bf16;
  return std::nullopt;
}

void require_model(const MergeOptions& options) {
  if (options.as != "sum" || !options.base.model.empty()) return;
  throw Error({.where = "merge",
               .found = "--as sum without a base model",
               .expected = "the model whose weights take the sum",
               .advice = "give it with --model, or use --as concat"},
              ErrorKind::usage);
}

void print_merged(const Merged& merged, std::size_t layers, const MergeOptions& options) {
  std::vector<std::string> tokens;
  for (const auto& token : merged.tokens) tokens.push_back(token.token);
  if (options.json) {
    const Json line{{"out", options.out}, {"as", options.as}, {"layers", layers}, {"tokens", tokens}};
    fmt::print("{}\n", line.dump(-1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  const auto held = tokens.empty() ? "" : " and the tokens " + join(tokens, ", ", 20);
  fmt::print("{}: {} layers of {} LoRAs{}\n", options.out, layers, merged.loras.size(), held);
}

int run_merge(const MergeOptions& options) {
  const auto inputs = inputs_of(options.inputs);
  require_model(options);
  if (options.as == "concat" && options.out.ends_with(".safetensors")) {
    check_output("--out", options.out);
  } else {
    check_output_folder("--out", options.out);
  }
  std::optional<ConvertTarget> target;
  if (!options.base.model.empty()) target = convert_target(open_base_model(options.base));
  Progress progress("merge", 2);
  const auto merged = read_inputs(inputs, target ? &*target : nullptr);
  progress.advance();
  const auto layers = options.as == "sum" ? write_summed(merged, locate_model(options.base.model).path, options.out,
                                                         summed_dtype(options.dtype))
                                          : write_concatenated(merged, options.out);
  progress.advance();
  progress.finish();
  print_merged(merged, layers, options);
  return 0;
}

constexpr const char* kMergeExamples =
    R"(concat writes one LoRA that any program loads: the blocks of all, weights multiplied in.
sum copies the base model with all of them added to its weights. Tokens are kept.

Examples:
  atelier merge subject.safetensors style.safetensors:0.8 --out both.safetensors
  atelier merge subject/ style.safetensors --as sum --model sd15 --out my_model
)";

}  // namespace

void add_merge(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("merge", "Several LoRAs with their tokens as one, or added to a base model");
  const auto options = std::make_shared<MergeOptions>();
  app->add_option("files", options->inputs, "LoRA files or folders in any dialect, with weights (default 1)")
      ->required()
      ->type_name("FILE[:WEIGHT] ...");
  app->add_option("--out", options->out,
                  "a .safetensors file, or a folder (always for sum, and where there are tokens)")
      ->required()
      ->type_name("FILE");
  one_of(app->add_option("--as", options->as, "a LoRA of all blocks, or a base model with the sum in its weights")
             ->capture_default_str(),
         {"concat", "sum"});
  add_optional_base_model(*app, options->base, "base model: for sum, and for kohya's and cloneofsimo's names");
  one_of(
      app->add_option("--dtype", options->dtype, "element type of the weights that take a sum")->capture_default_str(),
      {"keep", "float32", "float16", "bfloat16"});
  app->add_flag("--json", options->json, "one JSON object on standard output");
  app->footer(kMergeExamples);
  app->callback([options, &action] { action = [options] { return run_merge(*options); }; });
}

}  // namespace atelier::cli
