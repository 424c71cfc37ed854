#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "framework/files/pickle_value.h"
#include "framework/files/tensor_view.h"

namespace atelier {

/// Reads what torch.save wrote (zip since 1.6, and the older container) without running anything: classes and functions
/// that we do not know become opaque values. Tensors are views into the mapped file.
/// Throws Error with file and byte offset for a damaged or hostile file, for tar and TorchScript archives (with the way
/// to convert them) and for big-endian data.
[[nodiscard]] PickleValue read_pickle(const std::filesystem::path& path);

/// The same over bytes in memory, which must stay as long as `owner` lives.
[[nodiscard]] PickleValue parse_pickle(std::span<const std::byte> bytes, const std::string& where,
                                       std::shared_ptr<const void> owner = {});

enum class NestedValues {
  dotted,  ///< {"unet": {"a": t}} gives "unet.a"; items of lists are counted: "0", "1"
  skip,    ///< only the tensors of the top level
};

/// The tensors of a dictionary (or list) by name. Values that are no tensors are left out; a bare tensor has the name
/// "". Throws Error when a tensor cannot be rebuilt because it depends on something unknown, when two tensors get the
/// same name, and when the structure is too deep or expands without bound.
[[nodiscard]] TensorFile flatten_pickle(const PickleValue& value, NestedValues nested = NestedValues::dotted);

/// The state dict of a checkpoint: what is under "state_dict" if the file has that level, else the whole file.
/// Throws Error when the file holds an object instead of a dictionary, list or tensor.
[[nodiscard]] TensorFile read_pickle_checkpoint(const std::filesystem::path& path,
                                                NestedValues nested = NestedValues::dotted);
/// The same for a value that is already read.
[[nodiscard]] TensorFile pickle_checkpoint(const PickleValue& root, NestedValues nested = NestedValues::dotted);

}  // namespace atelier
