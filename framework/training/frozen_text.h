#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/models/session.h"

namespace atelier {

/// One prompt as it shall be encoded. Prompts with the same text and variant are encoded alike.
struct FrozenPrompt {
  std::string text;
  std::string variant;    ///< names what `options` do: "" plain, "masked", …
  EncodeOptions options;  ///< of one row
};

/// Contexts of prompts while nothing in the text encoders learns: each (text, variant) is encoded once, alone, without
/// gradient. For Stage::per_step.
class FrozenText {
 public:
  /// Borrows the session.
  explicit FrozenText(Session& session) : session_(session) {}

  /// Context [B, 77, D] and, for SDXL, pooled [B, P], detached, in the order of the prompts.
  [[nodiscard]] TextCondition rows(const std::vector<FrozenPrompt>& prompts);
  [[nodiscard]] TextCondition rows(const std::vector<std::string>& prompts);
  /// After something in the encoders changed.
  void clear() { encoded_.clear(); }
  [[nodiscard]] std::size_t size() const { return encoded_.size(); }

 private:
  [[nodiscard]] const TextCondition& row(const FrozenPrompt& prompt);

  Session& session_;
  std::map<std::pair<std::string, std::string>, TextCondition> encoded_;  // one row each
};

}  // namespace atelier
