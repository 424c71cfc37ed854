#include "framework/pretraining/caption_table.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/pretraining/scene_set.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {

std::int64_t CaptionTable::add(const std::string& caption, const ClipTokenizer& tokenizer, const std::string& where) {
  const auto [entry, fresh] = numbers_.emplace(caption, static_cast<std::int64_t>(numbers_.size()));
  if (!fresh) return entry->second;
  const auto bare = tokenizer.tokens(caption);
  const auto room = tokenizer.length() - 2;
  if (static_cast<std::int64_t>(bare.size()) > room) {
    throw Error({.where = where,
                 .found = fmt::format("a caption of {} tokens: \"{}\"", bare.size(), caption),
                 .expected = fmt::format("at most {}", room)});
  }
  // What the vocabulary lacks becomes the unknown token, which in CLIP's files is the end of the text.
  if (std::ranges::find(bare, tokenizer.eos_id()) != bare.end()) {
    throw Error({.where = where,
                 .found = fmt::format("a caption with words that the tokenizer does not know: \"{}\"", caption),
                 .expected = "words of its vocabulary",
                 .advice = "make the tokenizer and the scene set with one version of the world"});
  }
  const auto ids = tokenizer.encode(caption);
  flat_ids_.insert(flat_ids_.end(), ids.begin(), ids.end());
  flat_ends_.push_back(static_cast<std::int64_t>(bare.size()) + 1);
  return entry->second;
}

CaptionTable::CaptionTable(const SceneSet& scenes, const ClipTokenizer& tokenizer) {
  const std::string where = (scenes.folder() / "scenes.jsonl").string();
  static_cast<void>(add("", tokenizer, where));
  for (const Scene& scene : scenes.scenes()) {
    const std::string place = fmt::format("{}:{}", where, of_scene_.size() + 1);
    std::vector<std::int64_t> own;
    for (const auto& caption : scene.captions) own.push_back(add(caption, tokenizer, place));
    of_scene_.push_back(std::move(own));
  }
  const auto options = at::TensorOptions().dtype(at::kLong);
  ids_ = at::tensor(flat_ids_, options).view({-1, tokenizer.length()});
  ends_ = at::tensor(flat_ends_, options);
}

Tensor CaptionTable::choose(const Tensor& rows, const Tensor& chance) const {
  Tensor chosen = at::empty_like(rows);
  const auto* const row = rows.const_data_ptr<std::int64_t>();
  const auto* const draw = chance.const_data_ptr<float>();
  auto* const out = chosen.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < rows.numel(); ++i) {
    const auto& own = of_scene_.at(static_cast<std::size_t>(row[i]));
    const auto place = static_cast<std::size_t>(draw[i] * static_cast<float>(own.size()));
    out[i] = own[std::min(place, own.size() - 1)];
  }
  return chosen;
}

}  // namespace atelier
