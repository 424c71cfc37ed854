// pocket-world: draws the pocket world (README.md beside this folder).
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "experiments/pocket/program/commands.h"
#include "framework/cli/arguments.h"
#include "framework/core/error.h"

namespace atelier::pocket {
namespace {

int run(const std::vector<std::string>& words) {
  CLI::App root("A small world of drawn scenes: pictures, masks, captions, concepts", "pocket-world");
  root.formatter(std::make_shared<cli::HelpFormatter>());
  root.get_formatter()->label("SUBCOMMAND", "COMMAND");
  root.require_subcommand(1);
  root.footer(
      "'pocket-world COMMAND --help' explains a command.\nExit codes: 0 done, 1 something failed, 2 wrong usage.");
  cli::Action action;
  add_draw(root, action);
  add_concepts(root, action);
  add_prompts(root, action);
  add_tokenizer(root, action);
  add_words(root, action);
  add_sheet(root, action);
  if (words.empty()) {
    fmt::print(stderr, "{}", root.help());
    return 2;
  }
  const auto arguments = cli::normalise_arguments(root, words);
  try {
    root.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& success) {  // --help
    return root.exit(success);
  } catch (const CLI::ParseError& error) {
    throw Error({.where = "command line", .found = error.what(), .advice = "see 'pocket-world COMMAND --help'"},
                ErrorKind::usage);
  }
  return action();
}

int report(int code, const char* message) {
  fmt::print(stderr, "pocket-world: {}\n", message);
  return code;
}

}  // namespace
}  // namespace atelier::pocket

int main(int count, char** words) {
  using namespace atelier;
  try {
    const int code = pocket::run({words + 1, words + count});
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return pocket::report(1, "standard output: could not be written");
    return code;
  } catch (const Error& error) {
    return pocket::report(error.exit_code(), error.what());
  } catch (const std::bad_alloc&) {
    return pocket::report(1, "memory: exhausted");
  } catch (const std::exception& error) {
    return pocket::report(1, error.what());
  }
}
