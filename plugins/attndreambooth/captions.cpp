#include "plugins/attndreambooth/captions.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "framework/core/error.h"
#include "framework/methods/prompts.h"
#include "framework/models/base.h"
#include "framework/models/clip_text.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::attndreambooth {
namespace {

constexpr const char* kRow = "caption.row";
constexpr const char* kIds = "caption.ids";

[[noreturn]] void refuse(const std::string& caption, std::string found, const std::string& placeholder) {
  throw Error({.where = "caption \"" + caption + "\"",
               .found = std::move(found),
               .expected = placeholder + " exactly once, with a word behind it",
               .advice = "write {} once into instance_prompt"},
              ErrorKind::usage);
}

/// Of the caption's ids; -1 where the placeholder does not occur.
std::int64_t place_of(Session& session, const std::string& caption, const std::string& placeholder,
                      std::int64_t vectors) {
  auto& tokenizer = session.tokenizer(0);
  const auto ids = tokenizer.encode(tokenizer.expand_vectors(caption));
  const auto id = tokenizer.id_of(placeholder);
  const auto times = std::count(ids.begin(), ids.end(), id);
  if (times == 0) return -1;
  if (times > 1) refuse(caption, fmt::format("{} {} times", placeholder, times), placeholder);
  const auto place = static_cast<std::int64_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
  if (place + vectors >= static_cast<std::int64_t>(ids.size())) refuse(caption, "nothing behind it", placeholder);
  return place;
}

}  // namespace

Tensor placeholder_positions(Session& session, const std::vector<Sample>& samples, const std::string& placeholder,
                             std::int64_t vectors) {
  std::map<std::string, std::int64_t> known;
  std::vector<std::int64_t> positions;
  bool of_concept = true;
  for (const Sample& sample : samples) {
    const auto [place, fresh] = known.try_emplace(sample.caption);
    if (fresh) place->second = place_of(session, sample.caption, placeholder, vectors);
    const bool holds = place->second >= 0;
    // Images of the class follow those of the concept.
    if ((positions.empty() && !holds) || (holds && !of_concept)) {
      const auto bare = std::ranges::find_if(
          samples, [&](const Sample& each) { return known.contains(each.caption) && known.at(each.caption) < 0; });
      refuse(bare->caption, "no " + placeholder, placeholder);
    }
    of_concept = holds;
    positions.push_back(std::max<std::int64_t>(place->second, 0));
  }
  return at::tensor(positions, at::kLong);
}

void put_captions(StepTensors& tensors, Session& session, const std::vector<Sample>& samples) {
  std::vector<std::string> unique;
  std::vector<std::int64_t> rows;
  for (const Sample& sample : samples) {
    const auto found = std::ranges::find(unique, sample.caption);
    rows.push_back(found - unique.begin());
    if (found == unique.end()) unique.push_back(sample.caption);
  }
  tensors.shared[kIds] = session.tokenize(unique).towers.front();  // [unique, 77]
  tensors.rows[kRow] = at::tensor(rows, at::kLong);
}

TextCondition encode_captions(const StepTensors& tensors, Session& session) {
  const Tensor& ids = tensors.shared.at(kIds);
  TextCondition text = session.encode(TextIds{.towers = {ids}});
  if (ids.size(0) > 1) text.context = text.context.index_select(0, tensors.rows.at(kRow));
  return text;
}

std::vector<Tensor> initial_rows(Session& session, const std::string& words, std::int64_t vectors) {
  const auto ids = session.tokenizer(0).tokens(words);
  if (static_cast<std::int64_t>(ids.size()) < vectors) {
    throw Error({.where = "initialize_token",
                 .found = fmt::format("\"{}\", which is {} tokens", words, ids.size()),
                 .expected = fmt::format("at least {}, one for each of n_object_embedding", vectors),
                 .advice = "name more words"},
                ErrorKind::usage);
  }
  const at::NoGradGuard no_grad;
  const std::vector<std::int64_t> first(ids.begin(), ids.begin() + vectors);
  return session.text(0)
      .embed_tokens(at::tensor(first, at::kLong).to(session.base().placement().device).unsqueeze(0))[0]
      .unbind(0);
}

}  // namespace atelier::attndreambooth
