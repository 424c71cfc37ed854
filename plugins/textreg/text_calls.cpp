#include "plugins/textreg/text_calls.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "framework/text/clip_tokenizer.h"
#include "plugins/textreg/identifier.h"

namespace atelier::textreg {

TextCalls::TextCalls(Session& session, const Settings& settings, bool frozen)
    : session_(session),
      mask_(settings.mask),
      identifier_(session.tokenizer(0).id_of(settings.placeholder)),
      class_tokens_(static_cast<std::int64_t>(session.tokenizer(0).tokens(settings.class_word).size())),
      frozen_(frozen),
      known_(session) {}

std::vector<std::int64_t> TextCalls::ids(const std::string& prompt) { return session_.tokenizer(0).encode(prompt); }

std::vector<bool> TextCalls::masked(const std::vector<std::string>& prompts, std::int64_t index, Draws& draws) {
  std::vector<bool> rows(prompts.size(), false);
  if (!mask_.enabled) return rows;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto row = ids(prompts[i]);
    rows[i] = std::find(row.begin(), row.end(), identifier_) != row.end();
  }
  const auto last = std::find(rows.rbegin(), rows.rend(), true);
  if (last == rows.rend()) return rows;
  if (!draws.happens("mask_identifier", mask_.ratio, index)) return std::vector<bool>(prompts.size(), false);
  if (mask_.last_only) std::fill(std::next(last), rows.rend(), false);
  return rows;
}

/// [1, N, N]
Tensor TextCalls::mask_of(const std::string& prompt, bool masked) {
  const auto row = ids(prompt);
  return masked ? identifier_mask(row, identifier_, class_tokens_) : causal_mask(static_cast<std::int64_t>(row.size()));
}

void TextCalls::put_frozen(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts,
                           const std::vector<bool>& masked) {
  std::vector<Tensor> contexts, pooled;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const TextCondition& text = masked[i]
                                    ? known_.encode(prompts[i], "identifier", mask_of(prompts[i], true).unsqueeze(0))
                                    : known_.encode(prompts[i]);
    contexts.push_back(text.context);
    if (text.pooled.defined()) pooled.push_back(text.pooled);
  }
  tensors.rows[name + ".context"] = at::cat(contexts);  // [B, N, D]
  if (!pooled.empty()) tensors.rows[name + ".pooled"] = at::cat(pooled);
}

void TextCalls::put_live(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts,
                         const std::vector<bool>& masked) {
  put_prompts(tensors, session_, name, prompts);
  if (std::find(masked.begin(), masked.end(), true) == masked.end()) return;
  std::vector<Tensor> masks;
  for (std::size_t i = 0; i < prompts.size(); ++i) masks.push_back(mask_of(prompts[i], masked[i]));
  tensors.rows[name + ".mask"] = at::stack(masks);  // [B, 1, N, N]
}

void TextCalls::put(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts,
                    std::int64_t index, Draws& draws) {
  const auto rows = masked(prompts, index, draws);
  if (frozen_) {
    put_frozen(tensors, name, prompts, rows);
  } else {
    put_live(tensors, name, prompts, rows);
  }
}

TextCondition TextCalls::take(const StepTensors& tensors, const std::string& name) {
  if (frozen_) return FrozenPrompts::take(tensors, name);
  EncodeOptions options;
  if (const auto mask = tensors.rows.find(name + ".mask"); mask != tensors.rows.end()) {
    options.attention_bias = mask->second;
  }
  return session_.encode(prompt_ids(tensors, name), options);
}

}  // namespace atelier::textreg
