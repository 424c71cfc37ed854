#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/models/session.h"
#include "framework/sampling/prompt_edit.h"
#include "framework/worker/job.h"

namespace atelier::worker {

/// The edits of `atelier sample --edit`: of one source prompt, each from the same noise.
struct EditRequest {
  enum class Mode {
    automatic,  ///< replace where the prompts have as many words, else refine
    replace,
    refine,
  };
  std::vector<std::string> prompts;
  Mode mode = Mode::automatic;
  StepSpan cross{0.0, 0.8};                                ///< of all tokens
  std::vector<std::pair<std::string, StepSpan>> of_words;  ///< of the tokens of single words of edited prompts
  StepSpan self{0.0, 0.4};
  std::vector<std::pair<std::string, double>> factors;  ///< on the attention to words of edited prompts
  std::vector<std::vector<std::string>> blend;          ///< words of the source and of each edit; empty: no blend
  double threshold = 0.3;

  /// Nothing where the job edits nothing.
  [[nodiscard]] static std::optional<EditRequest> from(const Job& job);
};

/// The edit of `source` by the request. `options` come without self and blend. Throws Error (usage) for words that no
/// prompt holds, and for prompts that the mode does not fit.
[[nodiscard]] std::unique_ptr<PromptEdit> make_edit(Session& session, const std::string& source,
                                                    const EditRequest& request, PromptEdit::Options options);

}  // namespace atelier::worker
