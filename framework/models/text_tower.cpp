#include "framework/models/text_tower.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/models/base.h"

namespace atelier {

ClipText& TextTower::model() {
  if (!model_) {
    const auto component = base_.text_towers().at(index_);
    model_ = std::make_unique<ClipText>(base_.config(component), base_.weights(component));
  }
  return *model_;
}

ClipTokenizer& TextTower::tokenizer() {
  if (!tokenizer_) tokenizer_ = std::make_unique<ClipTokenizer>(ClipTokenizer::load(base_.tokenizer_folder(index_)));
  return *tokenizer_;
}

void TextTower::check_token(const std::string& name, const Tensor& vectors) {
  const auto width = model().config().width;
  if ((vectors.dim() != 1 && vectors.dim() != 2) || vectors.size(-1) != width || vectors.numel() == 0) {
    throw Error(
        {.where = fmt::format("token {}", name),
         .found = describe(vectors.sizes(), vectors.scalar_type()),
         .expected = fmt::format("[{}] or [n, {}], the width of {}", width, width, base_.text_towers().at(index_)),
         .advice = "this embedding was made for another base model"});
  }
  if (tokenizer().id_of(name) >= 0) {
    throw Error({.where = fmt::format("token {}", name),
                 .found = "a token of that name in the vocabulary",
                 .expected = "a new one",
                 .advice = "choose another placeholder"});
  }
  // A learned row stands behind the table's last: ids and rows must agree on where that is.
  const auto rows = model().config().vocabulary + (vectors_.empty() ? 0 : extra_tokens().size(0));
  if (tokenizer().vocab_size() != rows) {
    throw Error({.where = base_.tokenizer_folder(index_).string(),
                 .found = fmt::format("{} tokens", tokenizer().vocab_size()),
                 .expected = fmt::format("{}, the rows of the token table", rows),
                 .advice = "the tokenizer and the text encoder do not belong to each other"});
  }
}

void TextTower::add_token(const std::string& name, const Tensor& vectors) {
  check_token(name, vectors);
  const std::int64_t count = vectors.dim() == 1 ? 1 : vectors.size(0);
  for (std::int64_t i = 0; i < count; ++i) tokenizer().add_token(i == 0 ? name : fmt::format("{}_{}", name, i));
  vectors_.push_back(vectors);
}

Tensor TextTower::extra_tokens() const {
  std::vector<Tensor> rows;
  for (const Tensor& vector : vectors_) rows.push_back(vector.dim() == 1 ? vector.unsqueeze(0) : vector);
  return at::cat(rows);
}

Tensor TextTower::token_vector(const std::string& word) {
  const auto found = tokenizer().tokens(word);
  if (found.size() != 1 || found.front() >= model().config().vocabulary) {
    throw Error({.where = fmt::format("\"{}\"", word),
                 .found = fmt::format("{} tokens", found.size()),
                 .expected = "a word that is a single token",
                 .advice = "choose a more common word"});
  }
  const at::NoGradGuard no_grad;
  return model().embed_tokens(at::tensor(found, at::kLong).unsqueeze(0)).reshape(-1).to(at::kCPU, at::kFloat).clone();
}

Tensor TextTower::tokenize(const std::vector<std::string>& prompts) {
  std::vector<std::int64_t> all;
  for (const auto& prompt : prompts) {
    const auto row = tokenizer().encode(tokenizer().expand_vectors(prompt));
    all.insert(all.end(), row.begin(), row.end());
  }
  return at::tensor(all, at::kLong)
      .view({static_cast<std::int64_t>(prompts.size()), -1})
      .to(model().placement().device);
}

Tensor TextTower::context(const TextOutput& output, std::int64_t clip_skip) {
  const bool sdxl = base_.is_sdxl();
  if (clip_skip == 0) return sdxl ? output.penultimate : output.last_hidden_state;
  const auto states = static_cast<std::int64_t>(output.hidden_states.size());
  const std::int64_t from_end = clip_skip + (sdxl ? 2 : 1);
  if (clip_skip < 0 || from_end > states) {
    throw Error({.where = "clip_skip",
                 .found = std::to_string(clip_skip),
                 .expected = fmt::format("0 to {}", states - (sdxl ? 2 : 1))},
                ErrorKind::usage);
  }
  const Tensor state = output.hidden_states[static_cast<std::size_t>(states - from_end)];
  return sdxl ? state : model().final_norm(state);
}

TextCondition TextTower::encode(const Tensor& ids, const EncodeOptions& options) {
  TextCall call;
  if (!vectors_.empty()) call.extra_tokens = extra_tokens();
  call.edits = edits_;
  if (options.edited_rows.defined()) {
    for (auto& [layer, edit] : call.edits) edit.rows = options.edited_rows;
  }
  if (options.attention_bias.defined()) {
    call.edit_all.emplace();
    call.edit_all->bias = options.attention_bias;
    call.edit_all->replaces_causal_mask = true;
  }
  call.pooling = options.pool_at_eos ? Pooling::eos : Pooling::config;
  call.eos_token = tokenizer().eos_id();
  call.hidden_states = options.clip_skip != 0;
  const TextOutput output = model().forward(ids, call);
  return {.context = context(output, options.clip_skip), .pooled = output.pooled};
}

}  // namespace atelier
