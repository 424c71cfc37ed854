#pragma once

#include <string>
#include <vector>

#include "framework/methods/prompts.h"
#include "framework/models/session.h"
#include "plugins/textreg/settings.h"

namespace atelier::textreg {

/// The stage's calls of the text encoder, each with one draw for the identifier mask.
class TextCalls {
 public:
  /// `frozen`: nothing in the encoder learns, so each prompt is encoded once for each of its two masks. The session
  /// must outlive this and must hold the identifier.
  TextCalls(Session& session, const Settings& settings, bool frozen);

  /// Host: one call, under `name`. Where a prompt holds the identifier, `mask_identifier` is drawn with this index;
  /// else no random number is used.
  void put(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts, std::int64_t index,
           Draws& draws);
  /// Device: what the call returns, one row for each prompt.
  [[nodiscard]] TextCondition take(const StepTensors& tensors, const std::string& name);

  /// Host: for each prompt whether the identifier mask acts on it.
  [[nodiscard]] std::vector<bool> masked(const std::vector<std::string>& prompts, std::int64_t index, Draws& draws);

 private:
  [[nodiscard]] std::vector<std::int64_t> ids(const std::string& prompt);
  [[nodiscard]] Tensor mask_of(const std::string& prompt, bool masked);
  void put_frozen(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts,
                  const std::vector<bool>& masked);
  void put_live(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts,
                const std::vector<bool>& masked);

  Session& session_;  // outlives this
  MaskSettings mask_;
  std::int64_t identifier_;    // token id
  std::int64_t class_tokens_;  // of the class word
  bool frozen_;
  FrozenPrompts known_;
};

}  // namespace atelier::textreg
