#include "framework/text/added_tokens.h"

#include <algorithm>

namespace atelier {

void AddedTokens::insert(std::string token, std::int64_t id) {
  auto& bucket = by_first_byte_[static_cast<unsigned char>(token.front())];
  const auto place = std::find_if(bucket.begin(), bucket.end(),
                                  [&](std::size_t other) { return tokens_[other].first.size() < token.size(); });
  bucket.insert(place, tokens_.size());
  tokens_.emplace_back(std::move(token), id);
}

std::optional<std::int64_t> AddedTokens::find(std::string_view token) const {
  if (token.empty()) return std::nullopt;
  for (const auto index : by_first_byte_[static_cast<unsigned char>(token.front())]) {
    if (tokens_[index].first == token) return tokens_[index].second;
  }
  return std::nullopt;
}

const std::pair<std::string, std::int64_t>* AddedTokens::match_at(std::string_view text) const {
  for (const auto index : by_first_byte_[static_cast<unsigned char>(text.front())]) {
    if (text.starts_with(tokens_[index].first)) return &tokens_[index];
  }
  return nullptr;
}

void AddedTokens::split(std::string_view prompt, const std::function<void(std::string_view)>& text,
                        const std::function<void(std::string_view, std::int64_t)>& token) const {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < prompt.size();) {
    const auto* match = match_at(prompt.substr(i));
    if (match == nullptr) {
      ++i;
      continue;
    }
    if (i > begin) text(prompt.substr(begin, i - begin));
    token(match->first, match->second);
    begin = i += match->first.size();
  }
  if (begin < prompt.size()) text(prompt.substr(begin));
}

}  // namespace atelier
