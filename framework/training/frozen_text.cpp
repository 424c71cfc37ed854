#include "framework/training/frozen_text.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

namespace atelier {
namespace {

constexpr std::size_t kMostRows = 2048;  // of SDXL: 1.3 GB in float32

}  // namespace

const TextCondition& FrozenText::row(const FrozenPrompt& prompt) {
  const auto key = std::pair(prompt.text, prompt.variant);
  const auto found = encoded_.find(key);
  if (found != encoded_.end()) return found->second;
  return encoded_.emplace(key, session_.encode({prompt.text}, prompt.options)).first->second;
}

TextCondition FrozenText::rows(const std::vector<FrozenPrompt>& prompts) {
  const at::NoGradGuard no_grad;
  if (encoded_.size() + prompts.size() > kMostRows) encoded_.clear();
  std::vector<Tensor> contexts, pooled;
  for (const auto& prompt : prompts) {
    const TextCondition& one = row(prompt);
    contexts.push_back(one.context);
    if (one.pooled.defined()) pooled.push_back(one.pooled);
  }
  return {.context = at::cat(contexts),
          .pooled = pooled.size() == prompts.size() && session_.text_towers() > 1 ? at::cat(pooled) : Tensor()};
}

TextCondition FrozenText::rows(const std::vector<std::string>& prompts) {
  std::vector<FrozenPrompt> plain;
  for (const auto& text : prompts) plain.push_back({.text = text, .variant = "", .options = {}});
  return rows(plain);
}

}  // namespace atelier
