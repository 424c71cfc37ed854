// The stack and the memo of the unpickler, and the values that it pushes.
#include <fmt/format.h>

#include <cstring>

#include "framework/files/pickle_machine.h"

namespace atelier {

void PickleMachine::push_integer(PickleKind kind, std::int64_t value) {
  PickleNode node;
  node.kind = kind;
  node.integer = value;
  push(tree_.add(std::move(node)));
}

/// Little-endian two's complement of any length. What does not fit 64 bits stays as bytes.
void PickleMachine::push_long(std::uint64_t size) {
  const std::string_view bytes = reader_.text(size);
  if (size > sizeof(std::int64_t)) {
    PickleNode node;
    node.kind = PickleKind::opaque;
    node.text = bytes;
    push(tree_.add(std::move(node)));
    return;
  }
  const bool negative = size > 0 && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
  std::int64_t value = negative ? -1 : 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  push_integer(PickleKind::integer, value);
}

void PickleMachine::push_text(PickleKind kind, std::uint64_t size) {
  PickleNode node;
  node.kind = kind;
  node.text = reader_.text(size);
  push(tree_.add(std::move(node)));
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  PickleNode node;
  node.kind = PickleKind::global;
  node.module = module;
  node.text = name;
  push(tree_.add(std::move(node)));
}

void PickleMachine::push_tuple(std::size_t count) {
  PickleNode node;
  node.kind = PickleKind::tuple;
  node.items.resize(count);
  for (std::size_t i = count; i > 0; --i) node.items[i - 1] = pop();
  push(tree_.add(std::move(node)));
}

PickleNodeId PickleMachine::pop() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) site().fail("an operation that finds no value");
  const PickleNodeId node = stack_.back();
  stack_.pop_back();
  return node;
}

PickleNode& PickleMachine::top() {
  const PickleNodeId node = pop();
  push(node);
  return tree_.nodes[node];
}

std::vector<PickleNodeId> PickleMachine::pop_mark() {
  if (marks_.empty()) site().fail("an operation that finds no mark");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleNodeId> values(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return values;
}

void PickleMachine::append(const std::vector<PickleNodeId>& values) {
  PickleNode& list = top();
  if (list.kind != PickleKind::list && list.kind != PickleKind::opaque)
    site().fail("items for something that is no list");
  list.items.insert(list.items.end(), values.begin(), values.end());
}

void PickleMachine::set_items(const std::vector<PickleNodeId>& pairs) {
  PickleNode& dictionary = top();
  if (dictionary.kind != PickleKind::dictionary && dictionary.kind != PickleKind::opaque) {
    site().fail("entries for something that is no dictionary");
  }
  if (pairs.size() % 2 != 0) site().fail("a key without a value");
  dictionary.pairs.insert(dictionary.pairs.end(), pairs.begin(), pairs.end());
}

void PickleMachine::put(std::uint64_t index) {
  const PickleNodeId node = pop();
  push(node);
  memo_[index] = node;
}

void PickleMachine::get(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) site().fail(fmt::format("the value {}, which was not kept", index));
  push(found->second);
}

std::string_view PickleMachine::read_line() {
  std::size_t length = 0;
  ByteReader ahead = reader_;
  while (ahead.number<char>() != '\n') ++length;
  const std::string_view line = reader_.text(length);
  reader_.take(1);
  return line;
}

}  // namespace atelier
