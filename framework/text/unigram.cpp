#include "framework/text/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "framework/core/error.h"
#include "framework/text/prompt_text.h"

namespace atelier {
namespace {

constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581
constexpr float kUnknownPenalty = 10.0F;             // of SentencePiece: below the least likely piece

}  // namespace

Unigram::Unigram(SentencePieceModel model) : model_(std::move(model)), charsmap_(model_.charsmap, model_.where) {
  using Type = SentencePieceModel::Type;
  float least = std::numeric_limits<float>::max();
  for (std::size_t id = 0; id < model_.pieces.size(); ++id) {
    const auto& piece = model_.pieces[id];
    const auto number = static_cast<std::int64_t>(id);
    if (!all_.emplace(piece.text, number).second) {
      throw Error({.where = model_.where,
                   .found = fmt::format("the piece \"{}\" twice", piece.text),
                   .expected = "each piece once"});
    }
    if (piece.type != Type::normal) continue;
    normal_.emplace(piece.text, number);
    longest_ = std::max(longest_, piece.text.size());
    least = std::min(least, piece.score);
  }
  if (normal_.empty()) {
    throw Error({.where = model_.where, .found = "no pieces", .expected = "a vocabulary"});
  }
  unknown_score_ = least - kUnknownPenalty;
}

std::int64_t Unigram::id_of(std::string_view piece) const {
  const auto found = all_.find(piece);
  return found == all_.end() ? model_.unknown : found->second;
}

std::string Unigram::normalised(std::string_view text) const {
  std::string out;
  bool after_blank = model_.trim_blanks;
  if (model_.dummy_prefix) out = kBlank;
  const auto empty = out.size();
  while (!text.empty()) {
    auto [part, length] = charsmap_.front(text);
    while (after_blank && part.starts_with(' ')) part.remove_prefix(1);
    for (const char c : part) {
      if (c == ' ') {
        out += kBlank;
      } else {
        out += c;
      }
    }
    if (!part.empty()) after_blank = part.ends_with(' ');
    if (!model_.trim_blanks) after_blank = false;
    text.remove_prefix(length);
  }
  if (out.size() == empty) return {};  // blanks alone get no prefix either
  while (model_.trim_blanks && out.ends_with(kBlank)) out.resize(out.size() - kBlank.size());
  return out;
}

std::vector<std::int64_t> Unigram::best_path(std::string_view text) const {
  struct Node {
    std::int64_t id = 0;
    float score = 0;
    std::ptrdiff_t begin = -1;  // of the piece that ends here; -1: none does
  };
  std::vector<Node> ends(text.size() + 1);
  for (std::size_t begin = 0; begin < text.size(); begin += utf8_length(text.substr(begin))) {
    const float before = ends[begin].score;
    // SentencePiece adds known scores in double and keeps them in float; ties go to the piece that begins earlier.
    const auto offer = [&](std::size_t length, std::int64_t id, auto score) {
      Node& end = ends[begin + length];
      if (end.begin >= 0 && !(score > end.score)) return;
      end = {.id = id, .score = static_cast<float>(score), .begin = static_cast<std::ptrdiff_t>(begin)};
    };
    const std::size_t single = utf8_length(text.substr(begin));
    bool known = false;
    const std::size_t most = std::min(longest_, text.size() - begin);
    for (std::size_t length = 1; length <= most; ++length) {
      const auto found = normal_.find(text.substr(begin, length));
      if (found == normal_.end()) continue;
      known = known || length == single;
      const double score = model_.pieces[static_cast<std::size_t>(found->second)].score;
      offer(length, found->second, score + before);
    }
    if (!known) offer(single, model_.unknown, unknown_score_ + before);
  }
  std::vector<std::int64_t> ids;
  for (std::size_t end = text.size(); end > 0; end = static_cast<std::size_t>(ends[end].begin)) {
    const bool joins = ends[end].id == model_.unknown && !ids.empty() && ids.back() == model_.unknown;
    if (!joins) ids.push_back(ends[end].id);
  }
  std::ranges::reverse(ids);
  return ids;
}

std::vector<std::int64_t> Unigram::encode(std::string_view text) const { return best_path(normalised(text)); }

}  // namespace atelier
