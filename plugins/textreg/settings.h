#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/config/options.h"
#include "framework/training/stage.h"

namespace atelier::textreg {

/// When the identifier mask acts.
struct MaskSettings {
  bool enabled = true;
  double ratio = 0.5;      ///< probability for one text-encoder call that holds the identifier
  bool last_only = false;  ///< the published program's fault: of the rows that hold it only the last gets the mask
};

/// The low-rank updates.
struct LoRASettings {
  std::int64_t rank = 10;
  std::string layers;  ///< "cross", "self", "cross+self" or "full"
  bool text = false;   ///< also on the text encoder
};

/// What both stages take from options and concept.
struct Settings {
  std::string placeholder;
  std::string class_word;
  std::string phrase;  ///< what stands for the concept: "<krk1> cat"
  bool style = false;
  bool from_class = false;  ///< the identifier starts from the class word's last token, else from row `initializer_id`
  std::int64_t initializer_id = 0;
  bool carry_gradients = false;
  MaskSettings mask;
  LoRASettings lora;
  DataSpec data;
  TrainSpec train;
  double learning_rate = 0.0;  ///< scaled where asked
  double weight_decay = 0.0;
  PromptLists lists;

  /// Throws Error (usage) for options that contradict each other.
  [[nodiscard]] static Settings read(const std::string& stage, const Options& options, const Concept& subject,
                                     const PromptLists& lists);
};

/// The prompts of list `id`. Throws Error where the run brought none.
[[nodiscard]] const std::vector<std::string>& prompts_of(const PromptLists& lists, const std::string& id);
/// One prompt of the list, drawn uniformly as `name`, filled.
[[nodiscard]] std::string draw_prompt(const Settings& settings, const std::string& id, const std::string& phrase,
                                      const std::string& name, Draws& draws);

}  // namespace atelier::textreg
