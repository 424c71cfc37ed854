#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "framework/files/tensor_view.h"

namespace atelier {

/// A tensor's name cut at its block: "blocks.3.norm1.weight" with the prefix "blocks." is {3, "norm1.weight"}.
struct BlockName {
  std::int64_t index = 0;
  std::string_view leaf;  ///< borrowed from the name
};
/// Nullopt for a name that does not begin so, or without a number of at most four digits.
[[nodiscard]] std::optional<BlockName> split_block(std::string_view name, std::string_view prefix);

/// Sizes of a network that a file without a config tells by its tensors' shapes.
class StateDictShapes {
 public:
  explicit StateDictShapes(const TensorFile& file) : file_(file) {}

  /// Size of an axis. Throws Error where the tensor is missing, has no such axis, or is empty.
  [[nodiscard]] std::int64_t size(const std::string& name, std::size_t axis) const;
  /// Number of blocks: one more than the largest index behind the prefix.
  [[nodiscard]] std::int64_t blocks(std::string_view prefix) const;
  /// Patches along one side: the axis of a position table has a class token and side² patches. Throws Error when it has
  /// another number.
  [[nodiscard]] std::int64_t side(const std::string& name, std::size_t axis) const;

 private:
  const TensorFile& file_;  // borrowed for the time of reading
};

}  // namespace atelier
