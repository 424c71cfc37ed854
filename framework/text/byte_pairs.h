#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "framework/text/vocabulary.h"

namespace atelier {

/// A merge of two tokens into a third, all as ids. Its rank is its place in the list.
struct Merge {
  std::int64_t left;
  std::int64_t right;
  std::int64_t product;
};

/// The symbol of a byte in a byte-level vocabulary (Radford et al. 2019): bytes 33–126, 161–172 and 174–255 are the
/// code points of the same value, the other 68 in increasing order the code points 256, 257, …; in UTF-8.
[[nodiscard]] std::string byte_symbol(unsigned char byte);

/// Byte-pair encoding with CLIP's end-of-word symbols ("…</w>").
class BytePairs {
 public:
  /// `unknown` stands for byte symbols that the vocabulary lacks.
  BytePairs(const Vocabulary& vocabulary, const std::vector<Merge>& merges, std::int64_t unknown);

  /// Appends the ids of one piece of a prompt (its bytes, not empty). Of all adjacent pairs the one of lowest rank
  /// merges first, the leftmost of equals before the others. Any number of threads may call this.
  void encode(const std::string& piece, std::vector<std::int64_t>& ids) const;

 private:
  struct Product {
    std::int64_t rank;
    std::int64_t id;
  };
  struct PairHash {
    std::size_t operator()(std::uint64_t pair) const noexcept { return (pair * 0x9e3779b97f4a7c15ULL) >> 20; }
  };

  [[nodiscard]] const Product* product(std::int64_t left, std::int64_t right) const;
  [[nodiscard]] std::vector<std::int64_t> merge(std::string_view piece) const;

  std::array<std::int64_t, 256> inner_;  // id of the byte's symbol
  std::array<std::int64_t, 256> last_;   // id of the byte's symbol with </w>
  std::unordered_map<std::uint64_t, Product, PairHash> products_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::vector<std::int64_t>> cache_;  // guarded by mutex_
};

}  // namespace atelier
