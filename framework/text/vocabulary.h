#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace atelier {

/// Token → id, one to one. Ids need not be dense, but stay below 2^24.
class Vocabulary {
 public:
  Vocabulary() = default;

  /// Reads `{"token": id, …}` without building a JSON tree: a vocabulary is read at every start of a process.
  /// Throws Error (`where`, the token) for anything but one flat object of non-negative integers, and for tokens or ids
  /// that come twice.
  [[nodiscard]] static Vocabulary parse(std::string_view json, const std::string& where);

  [[nodiscard]] std::optional<std::int64_t> find(std::string_view token) const;
  /// Throws Error when the token or the id is taken.
  void insert(std::string token, std::int64_t id, const std::string& where);

  [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }
  /// One more than the largest id: the rows that an embedding table needs.
  [[nodiscard]] std::int64_t end_id() const noexcept { return static_cast<std::int64_t>(used_.size()); }
  [[nodiscard]] bool has_id(std::int64_t id) const noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::vector<bool> used_;
};

}  // namespace atelier
