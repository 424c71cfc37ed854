#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/files/tensor_view.h"

namespace atelier {

struct PickleTree;

enum class PickleKind {
  none,
  boolean,
  integer,
  real,
  text,
  bytes,
  list,  ///< also a set
  tuple,
  dictionary,
  tensor,
  global,   ///< a class or function that the file names
  storage,  ///< the memory behind tensors
  opaque,   ///< an object of a class that we do not know; nothing of it was run
};

/// One value of an unpickled file: a handle that shares the whole tree (and with it the mapped file). Values may be
/// shared inside a tree and may even contain themselves, so a recursive walk needs a bound; flatten_pickle() has one.
/// Every accessor throws Error, naming the file, when the value is of another kind.
class PickleValue {
 public:
  PickleValue(std::shared_ptr<const PickleTree> tree, std::uint32_t node) : tree_(std::move(tree)), node_(node) {}

  [[nodiscard]] PickleKind kind() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::int64_t integer() const;
  /// Of an integer, a real number or a boolean.
  [[nodiscard]] double number() const;
  /// Of a text or of bytes; a view into the tree.
  [[nodiscard]] std::string_view text() const;
  /// Strided tensors keep their strides.
  [[nodiscard]] const TensorView& tensor() const;

  /// Items of a list, tuple or opaque object; entries of a dictionary.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] PickleValue item(std::size_t index) const;
  /// Of a dictionary, or what was set into an opaque object by key; in file order.
  [[nodiscard]] std::vector<std::pair<PickleValue, PickleValue>> entries() const;
  /// The value under a text key of a dictionary, or of an opaque object's entries or attributes; nothing for values of
  /// other kinds. As in Python the last of equal keys counts.
  [[nodiscard]] std::optional<PickleValue> find(std::string_view key) const;

  /// "torch.nn.modules.container.ParameterDict" of an opaque object or of a global.
  [[nodiscard]] std::string class_name() const;
  /// Attributes that the file gives to an object (a dictionary as a rule).
  [[nodiscard]] std::optional<PickleValue> state() const;
  /// True for an opaque value that stands for a tensor which cannot be rebuilt; class_name() says why.
  [[nodiscard]] bool is_lost_tensor() const;

  /// "a dictionary of 3 entries", "an object of class a.B": for error messages.
  [[nodiscard]] std::string describe() const;
  /// The file.
  [[nodiscard]] const std::string& path() const;

 private:
  std::shared_ptr<const PickleTree> tree_;
  std::uint32_t node_;
};

}  // namespace atelier
