#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace atelier::cli {

/// The type name of an option that takes all the values that follow it: `--prompt TEXT TEXT` is `--prompt TEXT --prompt
/// TEXT`. "KEY=VALUE ..." stops at the first word without '='.
inline constexpr const char* kSeveral = " ...";

/// Walks the words of a command line along the tree of commands before CLI11 sees them, and returns them in a form that
/// CLI11 cannot misread: one value an option, and an empty value (`--negative=`) as a word of its own.
///
/// Throws a usage Error for an unknown command or option (with the nearest known one), an option without its value, and
/// an option given twice that takes one value.
[[nodiscard]] std::vector<std::string> normalise_arguments(const CLI::App& root, const std::vector<std::string>& words);

/// "atelier probe component": the command with its parents.
[[nodiscard]] std::string full_name(const CLI::App& app);

/// "probe component", or "command line" for the root: where an error is.
[[nodiscard]] std::string place(const CLI::App& app);

/// Usage lines, options in one column, and "(required)" instead of CLI11's capitals.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter();
  [[nodiscard]] std::string make_option_opts(const CLI::Option* option) const override;
  [[nodiscard]] std::string make_subcommand(const CLI::App* sub) const override;
};

}  // namespace atelier::cli
