#pragma once

#include "framework/config/method_spec.h"

namespace atelier::textreg {

inline constexpr const char* kTokenStage = "ti";
inline constexpr const char* kLoRAStage = "ut";

// Prompt lists, by id. Captions hold the concept phrase, class prompts the class word, edit prompts the phrase.
inline constexpr const char* kObjectCaptions = "textreg/train_object";
inline constexpr const char* kObjectClassPrompts = "textreg/train_reg_class_only";
inline constexpr const char* kObjectEditPrompts = "textreg/evaluation_object";
inline constexpr const char* kStyleCaptions = "textreg/evaluation_art";  // also the edit prompts of styles
inline constexpr const char* kStyleClassPrompts = "textreg/train_reg_class_only_style";

/// The method as plain data: what help, planner and keys see.
[[nodiscard]] MethodSpec make_spec();

/// What became of every argument of the published training program.
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

}  // namespace atelier::textreg
