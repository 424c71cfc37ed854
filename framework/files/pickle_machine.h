#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "framework/files/byte_reader.h"
#include "framework/files/pickle_tree.h"

namespace atelier {

/// Runs one pickle (protocol 2 to 5) into a tree. It knows the opcodes that torch.save writes; each operation adds at
/// most one value, and their number is bounded, so a hostile file can neither loop nor exhaust the memory.
/// Borrows the tree and the reader, which stands behind the STOP afterwards.
class PickleMachine {
 public:
  PickleMachine(PickleTree& tree, ByteReader& reader) : tree_(tree), reader_(reader) {}

  /// The value that the pickle holds. Throws Error with file and byte offset.
  [[nodiscard]] PickleNodeId run();

 private:
  // Each handles one group of opcodes and returns false when the opcode is not in it.
  bool run_constant(std::uint8_t opcode);
  bool run_bytes(std::uint8_t opcode);
  bool run_tuple(std::uint8_t opcode);
  bool run_container(std::uint8_t opcode);
  bool run_stack(std::uint8_t opcode);
  bool run_memo(std::uint8_t opcode);
  bool run_object(std::uint8_t opcode);

  void push(PickleNodeId node) { stack_.push_back(node); }
  void push_integer(PickleKind kind, std::int64_t value);
  void push_long(std::uint64_t size);
  void push_text(PickleKind kind, std::uint64_t size);
  void push_global(std::string_view module, std::string_view name);
  void push_tuple(std::size_t count);
  [[nodiscard]] PickleNodeId pop();
  [[nodiscard]] PickleNode& top();
  /// The values above the last mark, which goes too.
  [[nodiscard]] std::vector<PickleNodeId> pop_mark();
  void append(const std::vector<PickleNodeId>& values);
  void set_items(const std::vector<PickleNodeId>& pairs);
  void put(std::uint64_t index);
  void get(std::uint64_t index);
  std::string_view read_line();
  [[nodiscard]] PickleSite site() const { return {.tree = tree_, .byte = begin_}; }

  PickleTree& tree_;
  ByteReader& reader_;
  std::vector<PickleNodeId> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, PickleNodeId> memo_;
  std::size_t begin_ = 0;  // byte of the opcode at work
};

}  // namespace atelier
