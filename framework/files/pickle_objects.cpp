#include "framework/files/pickle_objects.h"

#include <cstring>

namespace atelier {
namespace {

constexpr std::size_t kMaxEncoded = 64;  // bytes of a numpy scalar; longer texts stay opaque

bool rebuilds_tensor(const PickleNode& function) {
  return function.kind == PickleKind::global && function.module.starts_with("torch") &&
         function.text.starts_with("_rebuild");
}

template <typename Number>
Number read_number(std::string_view bytes) {
  Number value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// The value of little-endian bytes of numpy's type `code`; false when we do not read that type.
bool read_scalar(std::string_view code, std::string_view bytes, PickleNode& node) {
  if (code.size() != 2 || bytes.size() != static_cast<std::size_t>(code[1] - '0')) return false;
  const char kind = code[0];
  const std::size_t size = bytes.size();
  if (kind == 'f' && (size == 4 || size == 8)) {
    node.kind = PickleKind::real;
    node.real = size == 4 ? static_cast<double>(read_number<float>(bytes)) : read_number<double>(bytes);
    return true;
  }
  if (size != 1 && size != 2 && size != 4 && size != 8) return false;
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), size);
  if (kind == 'i') {
    const auto shift = static_cast<int>(64 - 8 * size);
    node.integer = static_cast<std::int64_t>(value << shift) >> shift;
  } else if ((kind == 'u' && value <= static_cast<std::uint64_t>(INT64_MAX)) || (kind == 'b' && value <= 1)) {
    node.integer = static_cast<std::int64_t>(value);
  } else {
    return false;
  }
  node.kind = kind == 'b' ? PickleKind::boolean : PickleKind::integer;
  return true;
}

}  // namespace

PickleNodeId make_opaque_pickle(PickleTree& tree, PickleNodeId function, PickleNodeId arguments, bool lost_tensor) {
  PickleNode node;
  node.kind = PickleKind::opaque;
  const PickleNode& called = tree.nodes[function];
  node.type = called.kind == PickleKind::global ? function : called.type;  // so that a type is always a global
  node.arguments = arguments;
  node.lost_tensor = lost_tensor || rebuilds_tensor(called);
  return tree.add(std::move(node));
}

const PickleNode& pickle_argument(const PickleTree& tree, PickleNodeId arguments, std::size_t index) {
  return tree.nodes[tree.nodes[arguments].items[index]];
}

PickleNodeId encode_pickle_text(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                                const PickleSite& /*site*/) {
  const auto& given = tree.nodes[arguments].items;
  if (given.size() != 2) return make_opaque_pickle(tree, function, arguments);
  const PickleNode& text = tree.nodes[given[0]];
  const PickleNode& codec = tree.nodes[given[1]];
  if (text.kind != PickleKind::text || codec.text != "latin1" || text.text.size() > 2 * kMaxEncoded) {
    return make_opaque_pickle(tree, function, arguments);
  }
  std::string bytes;
  for (std::size_t i = 0; i < text.text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text.text[i]);
    if (lead < 0x80) {
      bytes += static_cast<char>(lead);
    } else if ((lead == 0xc2 || lead == 0xc3) && i + 1 < text.text.size()) {  // U+0080 to U+00FF
      bytes += static_cast<char>((lead << 6 | (static_cast<unsigned char>(text.text[++i]) & 0x3f)) & 0xff);
    } else {
      return make_opaque_pickle(tree, function, arguments);
    }
  }
  PickleNode node;
  node.kind = PickleKind::bytes;
  node.text = tree.converted.emplace_back(std::move(bytes));
  return tree.add(std::move(node));
}

PickleNodeId read_numpy_scalar(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                               const PickleSite& /*site*/) {
  const auto& given = tree.nodes[arguments].items;
  if (given.size() != 2) return make_opaque_pickle(tree, function, arguments);
  const PickleNode& dtype = tree.nodes[given[0]];
  const PickleNode& bytes = tree.nodes[given[1]];
  const bool is_dtype = dtype.kind == PickleKind::opaque && dtype.type != kNoPickleNode &&
                        qualified_name(tree.nodes[dtype.type]) == "numpy.dtype" &&
                        !tree.nodes[dtype.arguments].items.empty();
  if (!is_dtype || (bytes.kind != PickleKind::bytes && bytes.kind != PickleKind::text)) {
    return make_opaque_pickle(tree, function, arguments);
  }
  if (dtype.state != kNoPickleNode) {
    const auto& state = tree.nodes[dtype.state].items;
    if (state.size() > 1 && tree.nodes[state[1]].text == ">") return make_opaque_pickle(tree, function, arguments);
  }
  PickleNode node;
  if (!read_scalar(pickle_argument(tree, dtype.arguments, 0).text, bytes.text, node)) {
    return make_opaque_pickle(tree, function, arguments);
  }
  return tree.add(std::move(node));
}

}  // namespace atelier
