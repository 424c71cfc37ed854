#include "framework/cli/command_tree.h"

#include <sstream>

namespace atelier::cli {
namespace {

/// "a|b|c" of plain words; "cpu|cuda[:K]" is none (its brackets are a notation).
std::vector<std::string> choices_of(const std::string& type) {
  if (type.find('|') == std::string::npos) return {};
  std::vector<std::string> choices;
  std::istringstream words(type);
  for (std::string word; std::getline(words, word, '|');) choices.push_back(word.substr(0, word.find('[')));
  return choices;
}

ValueKind kind_of(const CLI::Option& option, const std::string& type) {
  if (option.get_items_expected_max() == 0) return ValueKind::none;
  if (type.find('|') != std::string::npos) return ValueKind::choice;
  if (type.starts_with("FILE")) return ValueKind::file;
  return type.starts_with("DIR") ? ValueKind::folder : ValueKind::text;
}

CompletedOption describe_option(const CLI::Option& option) {
  CompletedOption result;
  for (const auto& name : option.get_lnames()) result.names.push_back("--" + name);
  for (const auto& name : option.get_snames()) result.names.push_back("-" + name);
  result.description = option.get_description();
  const std::string type = option.get_type_name();
  result.value = kind_of(option, type);
  result.choices = choices_of(type);
  return result;
}

void describe(const CLI::App& app, const std::string& path, std::vector<CompletedCommand>& tree) {
  CompletedCommand command{.path = path, .commands = {}, .options = {}};
  for (const CLI::Option* option : app.get_options()) command.options.push_back(describe_option(*option));
  const auto subs = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : subs) command.commands.emplace_back(sub->get_name(), sub->get_description());
  tree.push_back(std::move(command));
  for (const CLI::App* sub : subs) describe(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), tree);
}

}  // namespace

std::vector<CompletedCommand> describe_tree(const CLI::App& root) {
  std::vector<CompletedCommand> tree;
  describe(root, "", tree);
  return tree;
}

}  // namespace atelier::cli
