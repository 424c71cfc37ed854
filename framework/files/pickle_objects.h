#pragma once

#include "framework/files/pickle_tree.h"

namespace atelier {

/// A placeholder for what a global would have made of its arguments. `lost_tensor`: it stands for a tensor; always so
/// for torch's _rebuild functions.
[[nodiscard]] PickleNodeId make_opaque_pickle(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                                              bool lost_tensor = false);

/// Item `index` of a tuple of arguments; the caller knows that it is there.
[[nodiscard]] const PickleNode& pickle_argument(const PickleTree& tree, PickleNodeId arguments, std::size_t index);

/// _codecs.encode(text, "latin1"): how protocol 2 writes bytes. Each character is one byte.
[[nodiscard]] PickleNodeId encode_pickle_text(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                                              const PickleSite& site);

/// numpy's scalar(dtype, bytes), where the dtype is an opaque numpy.dtype("f8", …) whose state tells the byte order.
/// Gives a number or a boolean; an opaque node for types that are none.
[[nodiscard]] PickleNodeId read_numpy_scalar(PickleTree& tree, PickleNodeId function, PickleNodeId arguments,
                                             const PickleSite& site);

}  // namespace atelier
