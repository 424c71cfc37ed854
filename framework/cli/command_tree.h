#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace atelier::cli {

enum class ValueKind { none, text, choice, file, folder };

/// An option or a positional, as shell completion sees it.
struct CompletedOption {
  std::vector<std::string> names;  ///< "--seed", "-n"; empty for a positional
  std::string description;
  ValueKind value = ValueKind::text;
  std::vector<std::string> choices;
};

/// A command, e.g. "probe component" (the root is ""), with what may follow it.
struct CompletedCommand {
  std::string path;
  std::vector<std::pair<std::string, std::string>> commands;  ///< name, description
  std::vector<CompletedOption> options;                       ///< positionals included
};

/// Every command of the tree, parents before children. The type names tell the kinds: "a|b" a choice, FILE, DIR.
[[nodiscard]] std::vector<CompletedCommand> describe_tree(const CLI::App& root);

[[nodiscard]] std::string bash_completion(const std::vector<CompletedCommand>& tree);
[[nodiscard]] std::string zsh_completion(const std::vector<CompletedCommand>& tree);
[[nodiscard]] std::string fish_completion(const std::vector<CompletedCommand>& tree);

}  // namespace atelier::cli
