#include "framework/text/byte_pairs.h"

#include <queue>
#include <tuple>

#include "framework/text/prompt_text.h"

namespace atelier {
namespace {

constexpr std::size_t kCachedPieces = 1 << 15;
constexpr std::size_t kLongestCachedPiece = 64;

/// A symbol of the piece as a node of a doubly linked list; a merged-away node has id -1.
struct Node {
  std::int64_t id;
  std::ptrdiff_t previous;
  std::ptrdiff_t next;
};

/// A merge that was possible when it was noted: rank, place of the left symbol, and the three ids.
struct Candidate {
  std::int64_t rank;
  std::ptrdiff_t left;
  std::int64_t left_id;
  std::int64_t right_id;
  std::int64_t product;

  bool operator>(const Candidate& other) const { return std::tie(rank, left) > std::tie(other.rank, other.left); }
};

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return (static_cast<std::uint64_t>(left) << 32) | static_cast<std::uint64_t>(right);
}

}  // namespace

std::string byte_symbol(unsigned char byte) {
  const auto is_itself = [](int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
  char32_t code_point = byte;
  if (!is_itself(byte)) {
    code_point = 256;
    for (int b = 0; b < byte; ++b) code_point += is_itself(b) ? 0 : 1;
  }
  std::string symbol;
  append_utf8(symbol, code_point);
  return symbol;
}

BytePairs::BytePairs(const Vocabulary& vocabulary, const std::vector<Merge>& merges, std::int64_t unknown) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto symbol = byte_symbol(static_cast<unsigned char>(byte));
    inner_[byte] = vocabulary.find(symbol).value_or(unknown);
    last_[byte] = vocabulary.find(symbol + "</w>").value_or(unknown);
  }
  products_.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& merge = merges[rank];
    products_[pair_key(merge.left, merge.right)] = {static_cast<std::int64_t>(rank), merge.product};
  }
}

const BytePairs::Product* BytePairs::product(std::int64_t left, std::int64_t right) const {
  const auto found = products_.find(pair_key(left, right));
  return found == products_.end() ? nullptr : &found->second;
}

void BytePairs::encode(const std::string& piece, std::vector<std::int64_t>& ids) const {
  const std::scoped_lock lock(mutex_);
  auto found = cache_.find(piece);
  if (found == cache_.end()) {
    if (piece.size() > kLongestCachedPiece) {
      const auto merged = merge(piece);
      ids.insert(ids.end(), merged.begin(), merged.end());
      return;
    }
    if (cache_.size() >= kCachedPieces) cache_.clear();
    found = cache_.emplace(piece, merge(piece)).first;
  }
  ids.insert(ids.end(), found->second.begin(), found->second.end());
}

std::vector<std::int64_t> BytePairs::merge(std::string_view piece) const {
  const auto count = static_cast<std::ptrdiff_t>(piece.size());
  std::vector<Node> nodes;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[static_cast<std::size_t>(i)]);
    nodes.push_back({i + 1 == count ? last_[byte] : inner_[byte], i - 1, i + 1 == count ? -1 : i + 1});
  }
  const auto node = [&](std::ptrdiff_t i) -> Node& { return nodes[static_cast<std::size_t>(i)]; };

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto note = [&](std::ptrdiff_t left) {
    if (left < 0 || node(left).next < 0) return;
    const auto left_id = node(left).id;
    const auto right_id = node(node(left).next).id;
    if (const auto* made = product(left_id, right_id)) queue.push({made->rank, left, left_id, right_id, made->id});
  };
  for (std::ptrdiff_t i = 0; i < count; ++i) note(i);

  while (!queue.empty()) {
    const auto best = queue.top();
    queue.pop();
    auto& left = node(best.left);
    if (left.id != best.left_id || left.next < 0 || node(left.next).id != best.right_id) continue;  // out of date
    auto& right = node(left.next);
    left.id = best.product;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) node(left.next).previous = best.left;
    note(left.previous);
    note(best.left);
  }

  std::vector<std::int64_t> ids;
  for (std::ptrdiff_t i = 0; i >= 0; i = node(i).next) ids.push_back(node(i).id);
  return ids;
}

}  // namespace atelier
