#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atelier {

/// Tokens that are cut out of the raw text before anything else happens to it: the leftmost match, and the longest
/// token at a position. No word boundary is needed and case matters.
class AddedTokens {
 public:
  void insert(std::string token, std::int64_t id);
  [[nodiscard]] std::optional<std::int64_t> find(std::string_view token) const;

  /// Calls `text` for each stretch between matches (never empty) and `token` for each match, in order.
  void split(std::string_view prompt, const std::function<void(std::string_view)>& text,
             const std::function<void(std::string_view, std::int64_t)>& token) const;

  /// In order of insertion.
  [[nodiscard]] const std::vector<std::pair<std::string, std::int64_t>>& all() const noexcept { return tokens_; }

 private:
  const std::pair<std::string, std::int64_t>* match_at(std::string_view text) const;

  std::vector<std::pair<std::string, std::int64_t>> tokens_;
  std::array<std::vector<std::size_t>, 256> by_first_byte_;  // indices into tokens_, longest token first
};

}  // namespace atelier
