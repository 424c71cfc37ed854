#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

/// SentencePiece's compiled replacements of characters: a double-array trie (Aoe 1989; Darts) over the spellings to be
/// replaced, whose values point into a pool of NUL-terminated replacements.
class Charsmap {
 public:
  /// An empty blob replaces nothing. Throws Error (`where`) when the blob's sizes cannot be.
  Charsmap(std::string_view blob, const std::string& where);

  struct Match {
    std::string_view replacement;  ///< borrowed from the table, or from the text where nothing is replaced
    std::size_t length = 0;        ///< bytes of the text that it stands for
  };
  /// What the front of `text` becomes: the longest spelling of the table, else one character as it is. `text` is UTF-8
  /// and not empty.
  [[nodiscard]] Match front(std::string_view text) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string pool_;
};

}  // namespace atelier
