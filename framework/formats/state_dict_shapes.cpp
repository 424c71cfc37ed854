#include "framework/formats/state_dict_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "framework/core/error.h"

namespace atelier {

std::optional<BlockName> split_block(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const auto dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot > 4) return std::nullopt;
  BlockName block{.index = 0, .leaf = name.substr(dot + 1)};
  const auto [end, fault] = std::from_chars(name.data(), name.data() + dot, block.index);
  if (fault != std::errc() || end != name.data() + dot || block.index < 0) return std::nullopt;
  return block;
}

std::int64_t StateDictShapes::size(const std::string& name, std::size_t axis) const {
  const auto found = file_.tensors.find(name);
  if (found == file_.tensors.end()) {
    throw Error({.where = file_.path, .found = "no tensor " + name, .expected = "a whole state dict"});
  }
  const auto& shape = found->second.shape;
  if (axis < shape.size() && shape[axis] > 0) return shape[axis];
  throw Error({.where = fmt::format("{}: {}", file_.path, name),
               .found = describe(found->second),
               .expected = fmt::format("at least {} axes", axis + 1)});
}

std::int64_t StateDictShapes::blocks(std::string_view prefix) const {
  std::int64_t count = 0;
  for (const auto& [name, view] : file_.tensors) {
    if (const auto block = split_block(name, prefix)) count = std::max(count, block->index + 1);
  }
  return count;
}

std::int64_t StateDictShapes::side(const std::string& name, std::size_t axis) const {
  const auto patches = size(name, axis) - 1;
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(patches))));
  if (patches > 0 && side * side == patches) return side;
  throw Error({.where = fmt::format("{}: {}", file_.path, name),
               .found = fmt::format("{} places", patches + 1),
               .expected = "a class token and a square of patches"});
}

}  // namespace atelier
