#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/prompts.h"
#include "framework/core/error.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

struct TokenizerOptions {
  std::string model, in;
  std::string tokenizer = "tokenizer";
};

/// `<model>/tokenizer` of a pipeline folder, or the folder itself where it holds the tokenizer's files.
fs::path tokenizer_folder(const TokenizerOptions& options) {
  const fs::path inside = fs::path(options.model) / options.tokenizer;
  if (fs::is_directory(inside)) return inside;
  const fs::path model = options.model;
  if (fs::exists(model / "vocab.json") || fs::exists(model / "tokenizer.json")) return model;
  throw Error({.where = options.model,
               .found = fmt::format("no folder '{}'", options.tokenizer),
               .expected = "a pipeline folder with a tokenizer"},
              ErrorKind::usage);
}

int run(const TokenizerOptions& options) {
  const auto tokenizer = ClipTokenizer::load(tokenizer_folder(options));
  std::string output;  // whole before the first byte is printed: an error prints nothing
  for (const auto& line : split_lines(read_text(options.in))) {
    output += fmt::format("[{}]\n", fmt::join(tokenizer.encode(line), ", "));
  }
  std::fwrite(output.data(), 1, output.size(), stdout);
  return 0;
}

constexpr const char* kExamples =
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
  existing_folder(app->add_option("--model", options->model, "pipeline folder, or a tokenizer's own folder"))
      ->required();
  one_of(
      app->add_option("--tokenizer", options->tokenizer, "which of the pipeline's tokenizers")->capture_default_str(),
      {"tokenizer", "tokenizer_2"});
  app->add_option("--in", options->in, "text file with one prompt a line, or - for standard input")
      ->required()
      ->type_name("FILE");
  app->footer(kExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
