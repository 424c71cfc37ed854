#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/prompts.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::cli {
namespace {

struct TokenizerOptions {
  BaseModel base;
  std::string in;
  std::string tokenizer = "tokenizer";
};

int run(const TokenizerOptions& options) {
  const auto tokenizer = ClipTokenizer::load(tokenizer_folder(options.base, options.tokenizer));
  std::string output;  // whole before the first byte is printed: an error prints nothing
  for (const auto& line : split_lines(read_text(options.in))) {
    output += fmt::format("[{}]\n", fmt::join(tokenizer.encode(line), ", "));
  }
  std::fwrite(output.data(), 1, output.size(), stdout);
  return 0;
}

constexpr const char* kProbeTokenizerExamples =
    R"(Prints one JSON array of token ids for each input line, padded and truncated as a run does it.
Lines end at \n only.

Examples:
  atelier probe tokenizer --model sd15 --in prompts.txt
  echo "a photo of a cat" | atelier probe tokenizer --model sdxl --tokenizer tokenizer_2 --in -
)";

}  // namespace

void add_probe_tokenizer(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("tokenizer", "Print the token ids of prompts");
  const auto options = std::make_shared<TokenizerOptions>();
  add_base_model(*app, options->base);
  one_of(
      app->add_option("--tokenizer", options->tokenizer, "which of the pipeline's tokenizers")->capture_default_str(),
      {"tokenizer", "tokenizer_2"});
  app->add_option("--in", options->in, "text file with one prompt a line, or - for standard input")
      ->required()
      ->type_name("FILE");
  app->footer(kProbeTokenizerExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
