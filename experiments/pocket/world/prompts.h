#pragma once

#include <string>
#include <vector>

#include "experiments/pocket/world/captions.h"

namespace atelier::pocket {

/// A prompt, and what a judge must find in a picture of it.
struct HeldOutPrompt {
  std::string prompt;
  Naming naming;
};
/// Six for each class: combinations of class, colour and place that base training never drew.
[[nodiscard]] std::vector<HeldOutPrompt> held_out_prompts();

/// Two prompts that differ in the words for one attribute.
struct WordSwap {
  std::string first, second;
  std::string_view attribute, first_value, second_value;
};
/// Ten for each attribute, with all others named.
[[nodiscard]] std::vector<WordSwap> word_swaps();

/// Both lists as YAML: prompts: [{prompt, attributes}], swaps: [{prompts, attribute, values}].
[[nodiscard]] std::string prompts_yaml();

}  // namespace atelier::pocket
