#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/models/session.h"
#include "framework/training/stage.h"

namespace atelier {

/// A prompt in which `{}` stands for the concept, with the phrase in its place (at every one).
[[nodiscard]] std::string with_phrase(std::string prompt, const std::string& phrase);

[[nodiscard]] std::vector<std::string> captions(const std::vector<Sample>& samples);
/// The further text `name` of every sample. Throws Error where one has none.
[[nodiscard]] std::vector<std::string> texts(const std::vector<Sample>& samples, const std::string& name);

/// Host: token ids of one prompt for each row, as rows "<name>.ids.0" (and ".1" for SDXL's second tower).
void put_prompts(StepTensors& tensors, Session& session, const std::string& name,
                 const std::vector<std::string>& prompts);
/// Device: what put_prompts() stored, for Session::encode.
[[nodiscard]] TextIds prompt_ids(const StepTensors& tensors, const std::string& name);

/// Encoder outputs of prompts while nothing in the text encoders learns: each prompt is encoded once, without gradient.
class FrozenPrompts {
 public:
  explicit FrozenPrompts(Session& session, EncodeOptions options = {})
      : session_(session), options_(std::move(options)) {}

  /// One prompt, [1, 77, D]. `variant` tells encodings of one prompt under different biases apart.
  [[nodiscard]] const TextCondition& encode(const std::string& prompt, const std::string& variant = "",
                                            const Tensor& attention_bias = {});
  /// Host: rows "<name>.context" [B, 77, D] and, for SDXL, "<name>.pooled".
  void put(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts);
  [[nodiscard]] static TextCondition take(const StepTensors& tensors, const std::string& name);

 private:
  Session& session_;  // outlives the stage that holds this
  EncodeOptions options_;
  std::map<std::pair<std::string, std::string>, TextCondition> known_;  // by prompt and variant
};

}  // namespace atelier
