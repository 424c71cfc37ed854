#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "framework/files/pickle_value.h"
#include "framework/files/tensor_view.h"

namespace atelier {

/// Index of a node in its tree.
using PickleNodeId = std::uint32_t;
inline constexpr PickleNodeId kNoPickleNode = std::numeric_limits<PickleNodeId>::max();

/// Nodes refer to each other by index, so shared and even circular structures cost nothing and end together.
struct PickleNode {
  PickleKind kind = PickleKind::none;
  bool lost_tensor = false;                ///< opaque: stands for a tensor that cannot be rebuilt
  PickleNodeId type = kNoPickleNode;       ///< opaque: the global that was called; storage: its class
  PickleNodeId arguments = kNoPickleNode;  ///< opaque: what it was called with
  PickleNodeId state = kNoPickleNode;      ///< what BUILD gave
  std::int64_t integer = 0;                ///< boolean, integer; tensor, storage: index into the tree's lists
  double real = 0.0;
  std::string_view text;            ///< text, bytes; global: the name; opaque integer: its bytes
  std::vector<PickleNodeId> items;  ///< list, tuple; opaque: appended items
  std::vector<PickleNodeId> pairs;  ///< dictionary, opaque: key, value, key, value, …
  std::string_view module;          ///< global
};

/// Memory behind tensors: named while unpickling, found in the container afterwards.
struct PickleStorage {
  Dtype dtype = Dtype::f32;
  std::string_view key;
  std::int64_t numel = 0;
  std::span<const std::byte> bytes;
};

struct PickleTensor {
  std::size_t storage = 0;
  std::int64_t offset = 0;  ///< in elements, into the storage
  std::int64_t span = 0;    ///< elements from the first to the last that is reached
  TensorView view;          ///< complete except for bytes and owner until the storages are found
};

struct PickleTree {
  std::string path;
  std::shared_ptr<const void> owner;  ///< of the bytes that all texts and tensors point into
  std::vector<PickleNode> nodes;
  std::vector<PickleStorage> storages;
  std::unordered_map<std::string_view, std::size_t> storage_by_key;
  std::vector<PickleTensor> tensors;
  std::deque<std::string> converted;  ///< bytes that had to be decoded
  std::size_t file_size = 0;
  std::size_t work = 0;  ///< operations and copied items so far; bounded, and with it all memory

  PickleNodeId add(PickleNode node) {
    nodes.push_back(std::move(node));
    return static_cast<PickleNodeId>(nodes.size() - 1);
  }
  PickleNodeId add(PickleKind kind) {
    PickleNode node;
    node.kind = kind;
    return add(std::move(node));
  }
};

/// Where the unpickler stands: for errors.
struct PickleSite {
  const PickleTree& tree;
  std::size_t byte;

  [[noreturn]] void fail(std::string found, std::string expected = {}) const;
};

/// Counts work and throws Error when a file asks for more than any real checkpoint does.
void charge(PickleTree& tree, std::size_t work, const PickleSite& site);

/// "collections.OrderedDict".
[[nodiscard]] inline std::string qualified_name(const PickleNode& global) {
  return std::string(global.module) + "." + std::string(global.text);
}

}  // namespace atelier
