#include "framework/files/pickle_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "framework/core/error.h"
#include "framework/files/pickle_objects.h"
#include "framework/files/quote.h"

namespace atelier {
namespace {

constexpr std::size_t kMaxDimensions = 64;  // as in torch
constexpr std::size_t kMinExpansion = 1u << 20;

using Handler = PickleNodeId (*)(PickleTree&, PickleNodeId function, PickleNodeId arguments, const PickleSite&);

std::optional<Dtype> storage_dtype(const PickleNode& type) {
  struct Row {
    std::string_view name;
    Dtype dtype;
  };
  static constexpr std::array<Row, 10> kClasses{{{"HalfStorage", Dtype::f16},
                                                 {"BFloat16Storage", Dtype::bf16},
                                                 {"FloatStorage", Dtype::f32},
                                                 {"DoubleStorage", Dtype::f64},
                                                 {"ByteStorage", Dtype::u8},
                                                 {"CharStorage", Dtype::i8},
                                                 {"ShortStorage", Dtype::i16},
                                                 {"IntStorage", Dtype::i32},
                                                 {"LongStorage", Dtype::i64},
                                                 {"BoolStorage", Dtype::boolean}}};
  if (type.module == "torch.storage" && type.text == "UntypedStorage") return Dtype::u8;
  if (type.module != "torch") return std::nullopt;
  for (const auto& row : kClasses) {
    if (row.name == type.text) return row.dtype;
  }
  return std::nullopt;
}

/// The integers of a size or a stride.
std::vector<std::int64_t> integers(const PickleTree& tree, const PickleNode& tuple, const PickleSite& site,
                                   const char* what) {
  if (tuple.kind != PickleKind::tuple && tuple.kind != PickleKind::list)
    site.fail(fmt::format("a {} that is no tuple", what), "a tuple");
  if (tuple.items.size() > kMaxDimensions) {
    site.fail(fmt::format("a {} of {} dimensions", what, tuple.items.size()),
              fmt::format("at most {}", kMaxDimensions));
  }
  std::vector<std::int64_t> values;
  for (const PickleNodeId item : tuple.items) {
    const PickleNode& node = tree.nodes[item];
    if (node.kind != PickleKind::integer || node.integer < 0)
      site.fail(fmt::format("a {} that is no integer from 0", what));
    values.push_back(node.integer);
  }
  return values;
}

bool is_contiguous(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides) {
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i > 0; --i) {
    if (shape[i - 1] != 1 && strides[i - 1] != expected) return false;
    expected *= shape[i - 1];
  }
  return true;
}

/// Fills in `tensor.span` and normalises the strides. Checks that nothing outside the storage is reached and that a
/// tensor whose elements repeat (stride 0) is not larger than a file of this size can justify.
void check_extent(PickleTensor& tensor, const PickleStorage& storage, const PickleTree& tree, const PickleSite& site) {
  auto& view = tensor.view;
  std::int64_t span = 1;
  std::int64_t product = 1;
  bool overflow = false;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    std::int64_t reach = 0;
    overflow |= __builtin_mul_overflow(product, std::max<std::int64_t>(view.shape[i], 1), &product);
    overflow |= __builtin_mul_overflow(std::max<std::int64_t>(view.shape[i], 1) - 1, view.strides[i], &reach);
    overflow |= __builtin_add_overflow(span, reach, &span);
  }
  if (overflow) site.fail("a tensor whose size does not fit 63 bits");
  const bool empty = std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end();
  tensor.span = empty ? 0 : span;
  if (tensor.offset < 0 || tensor.offset > storage.numel || tensor.span > storage.numel - tensor.offset) {
    site.fail(
        fmt::format("a tensor {} that reaches {} elements from element {}", describe(view), tensor.span, tensor.offset),
        fmt::format("at most the {} of its storage {}", storage.numel, quote(storage.key)));
  }
  const auto limit = static_cast<std::uint64_t>(std::max(tree.file_size, kMinExpansion)) / dtype_size(view.dtype);
  if (!empty && static_cast<std::uint64_t>(product) > limit) {
    site.fail("an expanded tensor " + describe(view), fmt::format("at most {} elements in a file of this size", limit));
  }
  if (empty || is_contiguous(view.shape, view.strides)) view.strides.clear();
}

/// (storage, offset, size, stride, requires_grad, hooks[, metadata]); counted in elements.
PickleNodeId rebuild_tensor(PickleTree& tree, PickleNodeId function, PickleNodeId arguments, const PickleSite& site) {
  const std::size_t count = tree.nodes[arguments].items.size();
  if (count != 6 && count != 7) site.fail(fmt::format("_rebuild_tensor_v2 of {} arguments", count), "6 or 7");
  const PickleNode& storage = pickle_argument(tree, arguments, 0);
  if (storage.kind == PickleKind::opaque) {
    return make_opaque_pickle(tree, storage.type == kNoPickleNode ? function : storage.type, arguments, true);
  }
  if (storage.kind != PickleKind::storage) site.fail("a tensor without a storage");
  const PickleNode& offset = pickle_argument(tree, arguments, 1);
  if (offset.kind != PickleKind::integer) site.fail("a tensor whose offset is no integer");
  PickleTensor tensor;
  tensor.storage = static_cast<std::size_t>(storage.integer);
  tensor.offset = offset.integer;
  tensor.view.dtype = tree.storages[tensor.storage].dtype;
  tensor.view.shape = integers(tree, pickle_argument(tree, arguments, 2), site, "size");
  tensor.view.strides = integers(tree, pickle_argument(tree, arguments, 3), site, "stride");
  if (tensor.view.shape.size() != tensor.view.strides.size()) site.fail("a size and a stride of different lengths");
  check_extent(tensor, tree.storages[tensor.storage], tree, site);
  tree.tensors.push_back(std::move(tensor));
  PickleNode node;
  node.kind = PickleKind::tensor;
  node.integer = static_cast<std::int64_t>(tree.tensors.size() - 1);
  return tree.add(std::move(node));
}

/// (data, requires_grad, hooks): for us the tensor itself.
PickleNodeId rebuild_parameter(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                               const PickleSite& site) {
  if (tree.nodes[arguments].items.empty()) site.fail("_rebuild_parameter without arguments", "a tensor");
  const PickleNode& data = pickle_argument(tree, arguments, 0);
  if (data.kind == PickleKind::tensor || data.lost_tensor) return tree.nodes[arguments].items[0];
  if (data.kind != PickleKind::opaque) site.fail("a parameter that is no tensor");
  return make_opaque_pickle(tree, data.type == kNoPickleNode ? function : data.type, arguments, true);
}

/// () or, from old files, ([[key, value], …],).
PickleNodeId ordered_dict(PickleTree& tree, PickleNodeId function, PickleNodeId arguments, const PickleSite& site) {
  PickleNode node;
  node.kind = PickleKind::dictionary;
  const auto& given = tree.nodes[arguments].items;
  if (given.empty()) return tree.add(std::move(node));
  const PickleNode& list = tree.nodes[given[0]];
  if (given.size() != 1 || list.kind != PickleKind::list) return make_opaque_pickle(tree, function, arguments);
  charge(tree, list.items.size(), site);
  for (const PickleNodeId item : list.items) {
    const PickleNode& pair = tree.nodes[item];
    if (pair.items.size() != 2) site.fail("an OrderedDict made of something else than pairs");
    node.pairs.insert(node.pairs.end(), pair.items.begin(), pair.items.end());
  }
  return tree.add(std::move(node));
}

/// torch.Size((2, 3)) is its tuple, torch.device("cuda", 0) is its type.
PickleNodeId first_argument(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                            const PickleSite& /*site*/) {
  const auto& given = tree.nodes[arguments].items;
  if (given.empty()) return make_opaque_pickle(tree, function, arguments);
  const PickleKind kind = tree.nodes[given[0]].kind;
  const bool known = kind == PickleKind::tuple || kind == PickleKind::list || kind == PickleKind::text;
  return known ? given[0] : make_opaque_pickle(tree, function, arguments);
}

Handler handler_of(const PickleNode& global) {
  struct Row {
    std::string_view module;
    std::string_view name;
    Handler handler;
  };
  static constexpr std::array<Row, 8> kHandlers{{{"torch._utils", "_rebuild_tensor_v2", rebuild_tensor},
                                                 {"torch._utils", "_rebuild_parameter", rebuild_parameter},
                                                 {"collections", "OrderedDict", ordered_dict},
                                                 {"torch", "Size", first_argument},
                                                 {"torch", "device", first_argument},
                                                 {"_codecs", "encode", encode_pickle_text},
                                                 {"numpy.core.multiarray", "scalar", read_numpy_scalar},
                                                 {"numpy._core.multiarray", "scalar", read_numpy_scalar}}};
  for (const auto& row : kHandlers) {
    if (row.module == global.module && row.name == global.text) return row.handler;
  }
  return nullptr;
}

}  // namespace

PickleNodeId call_pickle_global(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                                const PickleSite& site) {
  const PickleNode& called = tree.nodes[function];
  if (called.kind != PickleKind::global && called.kind != PickleKind::opaque)
    site.fail("a call of something that is no name");
  if (tree.nodes[arguments].kind != PickleKind::tuple) site.fail("a call without a tuple of arguments");
  const Handler handler = called.kind == PickleKind::global ? handler_of(called) : nullptr;
  return handler == nullptr ? make_opaque_pickle(tree, function, arguments) : handler(tree, function, arguments, site);
}

PickleNodeId load_persistent_id(PickleTree& tree, PickleNodeId id, const PickleSite& site) {
  const PickleNode& tuple = tree.nodes[id];
  const std::size_t count = tuple.items.size();
  if (tuple.kind != PickleKind::tuple || count == 0) site.fail("a persistent id that is no tuple");
  const std::string_view what = pickle_argument(tree, id, 0).text;
  if (what == "module" && count > 1) return tuple.items[1];  // the legacy container's way to name a class
  if (what != "storage" || (count != 5 && count != 6))
    site.fail("a persistent id that is no storage", "(storage, class, key, location, numel)");
  const PickleNode& type = pickle_argument(tree, id, 1);
  const PickleNode& key = pickle_argument(tree, id, 2);
  const PickleNode& numel = pickle_argument(tree, id, 4);
  if (type.kind != PickleKind::global || key.kind != PickleKind::text || numel.kind != PickleKind::integer ||
      numel.integer < 0) {
    site.fail("a damaged persistent id", "(storage, class, key, location, numel)");
  }
  if (count == 6 && pickle_argument(tree, id, 5).kind != PickleKind::none)
    site.fail("a view of a storage", "a whole storage");
  const auto dtype = storage_dtype(type);
  if (!dtype) return make_opaque_pickle(tree, tuple.items[1], id);

  PickleNode node;
  node.kind = PickleKind::storage;
  node.type = tuple.items[1];
  const auto [place, inserted] = tree.storage_by_key.emplace(key.text, tree.storages.size());
  node.integer = static_cast<std::int64_t>(place->second);
  if (inserted) {
    tree.storages.push_back({.dtype = *dtype, .key = key.text, .numel = numel.integer, .bytes = {}});
  } else if (const auto& known = tree.storages[place->second]; known.dtype != *dtype || known.numel != numel.integer) {
    site.fail(fmt::format("the storage {} with two classes or lengths", quote(key.text)));
  }
  return tree.add(std::move(node));
}

}  // namespace atelier
