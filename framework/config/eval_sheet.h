#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/config/faults.h"

namespace atelier {

/// A concept of an evaluation sheet.
struct SheetConcept {
  std::string name;
  std::string class_word;                                         ///< "": not said
  std::vector<std::string> prompts;                               ///< ids, in the sheet's order
  std::vector<std::pair<std::string, std::string>> duplicates{};  ///< names of near-identical references
  SourcePosition at{};
};

/// A prompt of an evaluation sheet. `{}` stands for the concept.
struct SheetPrompt {
  std::string id, text;
  bool reconstruction = false;        ///< role; else edit
  std::optional<std::string> edit{};  ///< the edit phrase alone
  std::optional<std::string> score_text{};
  bool keeps_appearance = true;  ///< false: the prompt asks for another appearance, so identity says little
  SourcePosition at{};
};

/// What pictures of any origin show, for `atelier eval`: schema eval_sheet/1.
///
///   concepts: [{name: dog6, class: dog, prompts: [photo, moon], duplicates: [[02.jpg, 03.jpg]]}]
///   prompts: [{id: moon, text: "A photo of {} on the moon", edit: "on the moon", role: edit, score_text: moon,
///              keeps_appearance: true}]
struct EvalSheet {
  std::string file;
  std::vector<SheetConcept> concepts;  ///< by name, in byte order
  std::vector<SheetPrompt> prompts;    ///< in the sheet's order

  [[nodiscard]] const SheetPrompt& prompt(const std::string& id) const;
};

/// Throws Error (usage) with every fault and its line and column: unknown keys, values of another type, names that are
/// no names of folders, names and ids given twice, prompts that there are not. `file` names the text.
[[nodiscard]] EvalSheet read_eval_sheet(std::string_view text, const std::string& file);

}  // namespace atelier
