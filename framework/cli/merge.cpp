#include "framework/formats/merge.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/error.h"
#include "framework/core/progress.h"
#include "framework/formats/model_locator.h"

namespace atelier::cli {
namespace {

struct MergeOptions {
  std::vector<std::string> inputs;
  std::string out, as = "concat", dtype = "keep";
  BaseModel base;
  std::optional<std::int64_t> rank;
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

void refuse(const char* found, const char* expected, const char* advice) {
  throw Error({.where = "merge", .found = found, .expected = expected, .advice = advice}, ErrorKind::usage);
}

void check_form(const MergeOptions& options) {
  const bool truncates = options.as == "svd";
  if (options.as == "sum" && options.base.model.empty()) {
    refuse("--as sum without a base model", "the model whose weights take the sum",
           "give it with --model, or use --as concat");
  }
  if (truncates && !options.rank) refuse("--as svd without a rank", "the rank of each layer", "give it with --rank");
  if (!truncates && options.rank) refuse("--rank without --as svd", "--rank with --as svd alone", "add --as svd");
  if (options.as != "sum" && options.out.ends_with(".safetensors")) {
    check_output("--out", options.out);
  } else {
    check_output_folder("--out", options.out);
  }
}

/// The worker has the linear algebra.
[[noreturn]] void launch_truncation(const std::vector<MergeInput>& inputs, const MergeOptions& options) {
  Json job{{"job", "merge.files"}, {"inputs", Json::array()}, {"out", options.out}, {"json", options.json}};
  for (const auto& input : inputs) job["inputs"].push_back({{"path", input.path.string()}, {"weight", input.weight}});
  job["rank"] = *options.rank;
  if (!options.base.model.empty()) describe_base_model(job, options.base);
  launch_worker(job);
}

std::size_t write_merge(const Merged& merged, const MergeOptions& options) {
  if (options.as == "sum") {
    return write_summed(merged, locate_model(options.base.model).path, options.out, summed_dtype(options.dtype));
  }
  const auto entries = concatenated(merged.loras);
  write_merged_lora(entries, merged.tokens, options.out);
  return entries.size();
}

int run_merge(const MergeOptions& options) {
  const auto inputs = inputs_of(options.inputs);
  check_form(options);
  if (options.as == "svd") launch_truncation(inputs, options);
  std::optional<ConvertTarget> target;
  if (!options.base.model.empty()) target = convert_target(open_base_model(options.base));
  Progress progress("merge", 2);
  const auto merged = read_inputs(inputs, target ? &*target : nullptr);
  progress.advance();
  MergeReport report{.out = options.out,
                     .as = options.as,
                     .layers = write_merge(merged, options),
                     .loras = merged.loras.size(),
                     .tokens = {},
                     .kept = {}};
  for (const auto& token : merged.tokens) report.tokens.push_back(token.token);
  progress.advance();
  progress.finish();
  fmt::print("{}\n", merge_line(report, options.json));
  return 0;
}

constexpr const char* kMergeExamples =
    R"(concat writes one LoRA that any program loads: the blocks of all, weights multiplied in.
svd writes the closest LoRA of a given rank. The sum of all is exact where their ranks allow it.
sum copies the base model with all of them added to its weights. Tokens are kept.

Examples:
  atelier merge subject.safetensors style.safetensors:0.8 --out both.safetensors
  atelier merge subject.safetensors style.safetensors --as svd --rank 16 --out both.safetensors
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
  one_of(app->add_option("--as", options->as, "a LoRA of all blocks, one of a given rank, or a base model with the sum")
             ->capture_default_str(),
         {"concat", "svd", "sum"});
  whole_number(app->add_option("--rank", options->rank, "rank of each layer, for svd"), 1, 1 << 20);
  add_optional_base_model(*app, options->base, "base model: for sum, and for kohya's and cloneofsimo's names");
  one_of(
      app->add_option("--dtype", options->dtype, "element type of the weights that take a sum")->capture_default_str(),
      {"keep", "float32", "float16", "bfloat16"});
  app->add_flag("--json", options->json, "one JSON object on standard output");
  app->footer(kMergeExamples);
  app->callback([options, &action] { action = [options] { return run_merge(*options); }; });
}

}  // namespace atelier::cli
