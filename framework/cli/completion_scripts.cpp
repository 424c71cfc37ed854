#include <fmt/format.h>

#include "framework/cli/command_tree.h"
#include "framework/core/text.h"

namespace atelier::cli {
namespace {

/// What may stand where no option's value is expected: commands, a positional's choices, options.
std::string words_of(const CompletedCommand& command) {
  std::vector<std::string> words;
  for (const auto& [name, description] : command.commands) words.push_back(name);
  for (const auto& option : command.options) {
    const auto& list = option.names.empty() ? option.choices : option.names;
    words.insert(words.end(), list.begin(), list.end());
  }
  return join(words, " ");
}

/// Single quotes for a POSIX shell.
std::string quote(const std::string& text) {
  std::string quoted = "'";
  for (const char character : text) {
    if (character == '\'') {
      quoted += "'\\''";
    } else {
      quoted += character;
    }
  }
  return quoted + "'";
}

std::string quote_for_fish(const std::string& text) {
  std::string quoted = "'";
  for (const char character : text) {
    if (character == '\'' || character == '\\') quoted += '\\';
    quoted += character;
  }
  return quoted + "'";
}

// The three functions below write the branches of `case` statements that bash and zsh share. They set `at` (the command
// so far), `list` (words to offer) and `kind` (words, file, folder, text). `path` and `words` mean something else in
// zsh.

std::string cases_of_commands(const std::vector<CompletedCommand>& tree) {
  std::string cases;
  for (const auto& command : tree) {
    for (const auto& [name, description] : command.commands) {
      const std::string below = command.path.empty() ? name : command.path + " " + name;
      cases += fmt::format("      {}) at={} ;;\n", quote(command.path + ":" + name), quote(below));
    }
  }
  return cases;
}

std::string effect_of(const CompletedOption& option) {
  switch (option.value) {
    case ValueKind::choice:
      return fmt::format("kind=words list={}", quote(join(option.choices, " ")));
    case ValueKind::file:
      return "kind=file";
    case ValueKind::folder:
      return "kind=folder";
    default:
      return "kind=text";
  }
}

std::string cases_of_values(const std::vector<CompletedCommand>& tree) {
  std::string cases;
  for (const auto& command : tree) {
    for (const auto& option : command.options) {
      if (option.names.empty() || option.value == ValueKind::none) continue;
      std::vector<std::string> patterns;
      for (const auto& name : option.names) patterns.push_back(quote(command.path + ":" + name));
      cases += fmt::format("    {}) {} ;;\n", join(patterns, "|"), effect_of(option));
    }
  }
  return cases;
}

std::string cases_of_words(const std::vector<CompletedCommand>& tree) {
  std::string cases;
  for (const auto& command : tree)
    cases += fmt::format("    {}) list={} ;;\n", quote(command.path), quote(words_of(command)));
  return cases;
}

/// Replaces "@COMMANDS@", "@VALUES@" and "@WORDS@" in a script.
std::string fill(std::string script, const std::vector<CompletedCommand>& tree) {
  const std::pair<std::string_view, std::string> parts[] = {{"@COMMANDS@\n", cases_of_commands(tree)},
                                                            {"@VALUES@\n", cases_of_values(tree)},
                                                            {"@WORDS@\n", cases_of_words(tree)}};
  for (const auto& [mark, text] : parts) script.replace(script.find(mark), mark.size(), text);
  return script;
}

constexpr const char* kBash = R"(# bash completion of atelier. Load it with: source <(atelier completion bash)
_atelier() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} at='' kind='' list='' i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$at:${COMP_WORDS[i]}" in
@COMMANDS@
    esac
  done
  case "$at:$previous" in
@VALUES@
  esac
  [ -n "$kind" ] || case "$at" in
@WORDS@
  esac
  COMPREPLY=()
  case "$kind" in
    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    folder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    text) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$list" -- "$current") ;;
  esac
}
complete -F _atelier atelier
)";

constexpr const char* kZsh = R"(#compdef atelier
# zsh completion of atelier. Save it as _atelier in a folder of $fpath, or: source <(atelier completion zsh)
_atelier() {
  local at='' kind='' list='' i
  for ((i = 2; i < CURRENT; ++i)); do
    case "$at:${words[i]}" in
@COMMANDS@
    esac
  done
  case "$at:${words[CURRENT-1]}" in
@VALUES@
  esac
  [[ -n $kind ]] || case "$at" in
@WORDS@
  esac
  case "$kind" in
    file) _files ;;
    folder) _files -/ ;;
    text) ;;
    *) compadd -- ${=list} ;;
  esac
}
if [[ $funcstack[1] == _atelier ]]; then _atelier "$@"; else compdef _atelier atelier; fi
)";

constexpr const char* kFish = R"(# fish completion of atelier. Save it as ~/.config/fish/completions/atelier.fish
function __atelier_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at:$word"
@COMMANDS@
    end
  end
  test "$at" = "$argv[1]"
end
complete -c atelier -f
)";

std::string fish_option(const CompletedOption& option) {
  std::string line;
  for (const auto& name : option.names) {
    const bool is_long = name.starts_with("--");
    line += fmt::format(" {} {}", is_long ? "-l" : "-s", name.substr(is_long ? 2 : 1));
  }
  if (option.value == ValueKind::file) line += " -r -F";
  if (option.value == ValueKind::folder) line += " -x -a '(__fish_complete_directories)'";
  if (option.value == ValueKind::text) line += " -x";
  if (option.value == ValueKind::choice) {
    line += (option.names.empty() ? " -a " : " -x -a ") + quote_for_fish(join(option.choices, " "));
  }
  return line + " -d " + quote_for_fish(option.description);
}

}  // namespace

std::string bash_completion(const std::vector<CompletedCommand>& tree) { return fill(kBash, tree); }

std::string zsh_completion(const std::vector<CompletedCommand>& tree) { return fill(kZsh, tree); }

std::string fish_completion(const std::vector<CompletedCommand>& tree) {
  std::string steps, lines;
  for (const auto& command : tree) {
    const std::string start =
        fmt::format("complete -c atelier -n {}", quote_for_fish("__atelier_at \"" + command.path + "\""));
    for (const auto& [name, description] : command.commands) {
      const std::string below = command.path.empty() ? name : command.path + " " + name;
      steps += fmt::format("      case '{}:{}'\n        set at '{}'\n", command.path, name, below);
      lines += fmt::format("{} -a {} -d {}\n", start, name, quote_for_fish(description));
    }
    for (const auto& option : command.options) {
      if (!option.names.empty() || option.value == ValueKind::choice) lines += start + fish_option(option) + "\n";
    }
  }
  std::string script = kFish;
  constexpr std::string_view kMark = "@COMMANDS@\n";
  return script.replace(script.find(kMark), kMark.size(), steps) + lines;
}

}  // namespace atelier::cli
