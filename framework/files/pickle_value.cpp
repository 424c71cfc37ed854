#include "framework/files/pickle_value.h"

#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/files/pickle_tree.h"
#include "framework/files/quote.h"

namespace atelier {
namespace {

[[noreturn]] void fail(const PickleValue& value, std::string expected) {
  throw Error({.where = value.path(), .found = value.describe(), .expected = std::move(expected), .advice = ""});
}

const PickleNode& node_of(const PickleTree& tree, PickleNodeId node) { return tree.nodes[node]; }

/// The value under a text key, or kNoPickleNode.
PickleNodeId find_pair(const PickleTree& tree, const PickleNode& node, std::string_view key) {
  for (std::size_t i = node.pairs.size(); i >= 2; i -= 2) {
    const PickleNode& name = tree.nodes[node.pairs[i - 2]];
    if (name.kind == PickleKind::text && name.text == key) return node.pairs[i - 1];
  }
  return kNoPickleNode;
}

}  // namespace

PickleKind PickleValue::kind() const { return node_of(*tree_, node_).kind; }

bool PickleValue::boolean() const {
  if (kind() != PickleKind::boolean) fail(*this, "true or false");
  return node_of(*tree_, node_).integer != 0;
}

std::int64_t PickleValue::integer() const {
  if (kind() != PickleKind::integer) fail(*this, "an integer");
  return node_of(*tree_, node_).integer;
}

double PickleValue::number() const {
  if (kind() == PickleKind::real) return node_of(*tree_, node_).real;
  if (kind() != PickleKind::integer && kind() != PickleKind::boolean) fail(*this, "a number");
  return static_cast<double>(node_of(*tree_, node_).integer);
}

std::string_view PickleValue::text() const {
  if (kind() != PickleKind::text && kind() != PickleKind::bytes) fail(*this, "a text");
  return node_of(*tree_, node_).text;
}

const TensorView& PickleValue::tensor() const {
  if (kind() != PickleKind::tensor) fail(*this, "a tensor");
  return tree_->tensors[static_cast<std::size_t>(node_of(*tree_, node_).integer)].view;
}

std::size_t PickleValue::size() const {
  const PickleNode& node = node_of(*tree_, node_);
  return node.kind == PickleKind::dictionary ? node.pairs.size() / 2 : node.items.size();
}

PickleValue PickleValue::item(std::size_t index) const {
  const PickleNode& node = node_of(*tree_, node_);
  if (index >= node.items.size()) fail(*this, fmt::format("a list of at least {} items", index + 1));
  return {tree_, node.items[index]};
}

std::vector<std::pair<PickleValue, PickleValue>> PickleValue::entries() const {
  const PickleNode& node = node_of(*tree_, node_);
  if (node.kind != PickleKind::dictionary && node.kind != PickleKind::opaque) fail(*this, "a dictionary");
  std::vector<std::pair<PickleValue, PickleValue>> entries;
  entries.reserve(node.pairs.size() / 2);
  for (std::size_t i = 0; i + 1 < node.pairs.size(); i += 2) {
    entries.emplace_back(PickleValue(tree_, node.pairs[i]), PickleValue(tree_, node.pairs[i + 1]));
  }
  return entries;
}

std::optional<PickleValue> PickleValue::find(std::string_view key) const {
  const PickleNode& node = node_of(*tree_, node_);
  PickleNodeId found = find_pair(*tree_, node, key);
  if (found == kNoPickleNode && node.kind == PickleKind::opaque && node.state != kNoPickleNode) {
    found = find_pair(*tree_, tree_->nodes[node.state], key);
  }
  if (found == kNoPickleNode) return std::nullopt;
  return PickleValue(tree_, found);
}

std::string PickleValue::class_name() const {
  const PickleNode& node = node_of(*tree_, node_);
  if (node.kind == PickleKind::global) return qualified_name(node);
  if (node.kind != PickleKind::opaque) fail(*this, "an object");
  if (node.type == kNoPickleNode) return "int";  // too long for 64 bits
  return PickleValue(tree_, node.type).class_name();
}

std::optional<PickleValue> PickleValue::state() const {
  const PickleNodeId state = node_of(*tree_, node_).state;
  if (state == kNoPickleNode) return std::nullopt;
  return PickleValue(tree_, state);
}

bool PickleValue::is_lost_tensor() const { return node_of(*tree_, node_).lost_tensor; }

std::string PickleValue::describe() const {
  const PickleNode& node = node_of(*tree_, node_);
  switch (node.kind) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return node.integer != 0 ? "True" : "False";
    case PickleKind::integer:
      return fmt::format("the integer {}", node.integer);
    case PickleKind::real:
      return fmt::format("the number {}", node.real);
    case PickleKind::text:
      return "the text " + quote(node.text);
    case PickleKind::bytes:
      return fmt::format("{} bytes", node.text.size());
    case PickleKind::list:
      return fmt::format("a list of {} items", node.items.size());
    case PickleKind::tuple:
      return fmt::format("a tuple of {} items", node.items.size());
    case PickleKind::dictionary:
      return fmt::format("a dictionary of {} entries", node.pairs.size() / 2);
    case PickleKind::tensor:
      return "a tensor " + atelier::describe(tensor());
    case PickleKind::global:
      return "the name " + quote(class_name());
    case PickleKind::storage:
      return "a storage";
    case PickleKind::opaque:
      break;
  }
  return "an object of class " + quote(class_name());
}

const std::string& PickleValue::path() const { return tree_->path; }

}  // namespace atelier
