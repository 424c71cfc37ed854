#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "framework/config/method_spec.h"

namespace atelier {

// The arguments of published programs, as MethodSpec::arguments lists them.

/// Arguments whose options have their names, behind `prefix` where the options are a stage's: with "lora." the argument
/// --learning_rate is the option lora.learning_rate.
[[nodiscard]] std::vector<ArgumentSpec> same_named(const std::string& prefix,
                                                   std::initializer_list<const char*> options);

/// Arguments of diffusers' training scripts that every method answers in the same way: those of the run, its output and
/// its logs, of the hub, of other optimizers, of loading. `names` are those that the program has, without dashes.
/// Throws Error for a name that has no common answer.
[[nodiscard]] std::vector<ArgumentSpec> common_arguments(std::initializer_list<const char*> names);

/// Those that every training script of diffusers' examples has, and `more`.
[[nodiscard]] std::vector<ArgumentSpec> diffusers_arguments(std::initializer_list<const char*> more);

/// Several lists as one, in order.
[[nodiscard]] std::vector<ArgumentSpec> joined(std::vector<std::vector<ArgumentSpec>> lists);

}  // namespace atelier
