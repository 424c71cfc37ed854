#pragma once

#include "framework/tensor/tensor.h"
#include "framework/text/prompt_words.h"

namespace atelier {

/// Which tokens of a source prompt stand for those of an edited one (Hertz et al. 2022, arXiv:2208.01626, with the
/// rules of the authors' program).
struct PromptAlignment {
  Tensor mapping;  ///< [L, L] float32: token n of the edited prompt takes the attention Σ_w source[w] · mapping[w, n]
  Tensor known;    ///< [L] float32: 1 where it does, 0 where the edited prompt keeps its own
};

/// Word swap: both prompts have as many words. The tokens of a swapped word take those of the word in its place; where
/// their numbers differ, each takes an equal share of them all. Throws Error (usage) otherwise.
[[nodiscard]] PromptAlignment align_replacement(const PromptWords& source, const PromptWords& edited);

/// Refinement: the longest common sequence of tokens (matches count 1, mismatches -1, gaps nothing); tokens that the
/// source does not have keep their own attention.
[[nodiscard]] PromptAlignment align_refinement(const PromptWords& source, const PromptWords& edited);

}  // namespace atelier
