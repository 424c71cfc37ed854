#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "framework/files/tensor_view.h"

namespace atelier {

/// Limit on the header's length in bytes, the same for reading and writing.
inline constexpr std::size_t kMaxSafetensorsHeader = 100'000'000;

/// Maps a safetensors file and hands out views into the mapping; no tensor is copied. Views are row-major and need not
/// be aligned to their element size.
/// Throws Error with file, tensor and byte offset for everything the reference parser rejects, and also for a name that
/// occurs twice, for entries in array form, and for the dtypes we do not read (F4, F6, F8, C64).
[[nodiscard]] TensorFile read_safetensors(const std::filesystem::path& path);

/// The same over bytes that are already in memory. `where` is what errors name; every view keeps `owner`.
[[nodiscard]] TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& where,
                                           std::shared_ptr<const void> owner = {});

}  // namespace atelier
