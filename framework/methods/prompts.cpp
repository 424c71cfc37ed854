#include "framework/methods/prompts.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {

std::string with_phrase(std::string prompt, const std::string& phrase) {
  for (auto at = prompt.find("{}"); at != std::string::npos; at = prompt.find("{}", at + phrase.size())) {
    prompt.replace(at, 2, phrase);
  }
  return prompt;
}

std::vector<std::string> captions(const std::vector<Sample>& samples) {
  std::vector<std::string> all;
  for (const Sample& sample : samples) all.push_back(sample.caption);
  return all;
}

std::vector<std::string> texts(const std::vector<Sample>& samples, const std::string& name) {
  std::vector<std::string> all;
  for (const Sample& sample : samples) {
    const auto found = sample.texts.find(name);
    if (found == sample.texts.end()) {
      throw Error({.where = "sample \"" + sample.caption + "\"",
                   .found = "no text " + name,
                   .expected = "the stage's describe() gives one"});
    }
    all.push_back(found->second);
  }
  return all;
}

void put_prompts(StepTensors& tensors, Session& session, const std::string& name,
                 const std::vector<std::string>& prompts) {
  const TextIds ids = session.tokenize(prompts);
  for (std::size_t i = 0; i < ids.towers.size(); ++i) tensors.rows[fmt::format("{}.ids.{}", name, i)] = ids.towers[i];
}

TextIds prompt_ids(const StepTensors& tensors, const std::string& name) {
  TextIds ids;
  for (std::size_t i = 0;; ++i) {
    const auto found = tensors.rows.find(fmt::format("{}.ids.{}", name, i));
    if (found == tensors.rows.end()) return ids;
    ids.towers.push_back(found->second);
  }
}

const TextCondition& FrozenPrompts::encode(const std::string& prompt, const std::string& variant,
                                           const Tensor& attention_bias) {
  const auto [place, fresh] = known_.try_emplace({prompt, variant});
  if (fresh) {
    const at::NoGradGuard no_grad;
    EncodeOptions options = options_;
    if (attention_bias.defined()) options.attention_bias = attention_bias;
    place->second = session_.encode({prompt}, options);
  }
  return place->second;
}

void FrozenPrompts::put(StepTensors& tensors, const std::string& name, const std::vector<std::string>& prompts) {
  std::vector<Tensor> contexts, pooled;
  for (const auto& prompt : prompts) {
    const TextCondition& text = encode(prompt);
    contexts.push_back(text.context);
    if (text.pooled.defined()) pooled.push_back(text.pooled);
  }
  tensors.rows[name + ".context"] = at::cat(contexts);
  if (!pooled.empty()) tensors.rows[name + ".pooled"] = at::cat(pooled);
}

TextCondition FrozenPrompts::take(const StepTensors& tensors, const std::string& name) {
  const auto pooled = tensors.rows.find(name + ".pooled");
  return {.context = tensors.rows.at(name + ".context"),
          .pooled = pooled == tensors.rows.end() ? Tensor() : pooled->second};
}

}  // namespace atelier
