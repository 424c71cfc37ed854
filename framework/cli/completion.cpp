#include <cstdio>
#include <memory>

#include "framework/cli/command.h"
#include "framework/cli/command_tree.h"
#include "framework/cli/options.h"

namespace atelier::cli {
namespace {

std::string script(const CLI::App& root, const std::string& shell) {
  const auto tree = describe_tree(root);
  if (shell == "bash") return bash_completion(tree);
  return shell == "zsh" ? zsh_completion(tree) : fish_completion(tree);
}

constexpr const char* kCompletionExamples = R"(Examples:
  source <(atelier completion bash)
  atelier completion fish > ~/.config/fish/completions/atelier.fish
)";

}  // namespace

void add_completion(CLI::App& root, Action& action) {
  CLI::App* app = root.add_subcommand("completion", "Print the completion script of a shell");
  const auto shell = std::make_shared<std::string>();
  one_of(app->add_option("shell", *shell, "the shell")->required(), {"bash", "zsh", "fish"});
  app->footer(kCompletionExamples);
  app->callback([&root, shell, &action] {
    action = [&root, shell] {
      const std::string text = script(root, *shell);
      std::fwrite(text.data(), 1, text.size(), stdout);  // main() finds out whether it could be written
      return 0;
    };
  });
}

}  // namespace atelier::cli
