#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

enum class OptionType { boolean, integer, real, text, choice, file, integers };

/// "boolean", "integer", …
[[nodiscard]] std::string_view option_type_name(OptionType type);

/// A statement about the resolved options of a method: `option` equals `value` (or, with `negated`, does not). A null
/// value asks whether the option is unset.
struct Condition {
  std::string option;
  Json value;
  bool negated = false;
};

/// One option of a method, as help, planner and plugin see it. Options of one stage carry its name in front:
/// "ut.learning_rate".
struct OptionSpec {
  std::string name;
  OptionType type = OptionType::text;
  Json value;                          ///< default; null: unset
  std::optional<double> low, high;     ///< inclusive limits of numbers (of each number of a list)
  std::vector<std::string> choices;    ///< of a choice
  std::string help;                    ///< one line
  std::string source;                  ///< where the default comes from: "published script, --lora_rank"
  std::vector<Condition> active_when;  ///< all must hold, else the option has no effect and setting it is an error
  bool memory_only = false;            ///< decides memory and time, not results: no key holds it
};

/// Throws Error (usage, `where`) unless `value` is one that the option can have; returns it in the option's type (an
/// integer given for a real becomes a real).
[[nodiscard]] Json check_value(const OptionSpec& option, const Json& value, const std::string& where);

/// "real from 0 to 1", "one of object, style": for help and errors.
[[nodiscard]] std::string describe_values(const OptionSpec& option);

/// Whether the condition holds for resolved options (an object of name -> value).
[[nodiscard]] bool holds(const Condition& condition, const Json& options);
[[nodiscard]] bool hold(const std::vector<Condition>& conditions, const Json& options);
/// "with_prior = true", "rank is set".
[[nodiscard]] std::string describe(const Condition& condition);

}  // namespace atelier
