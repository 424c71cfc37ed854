#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

/// The element types of safetensors that we read and write.
enum class Dtype { boolean, u8, i8, i16, u16, f16, bf16, i32, u32, f32, f64, i64, u64 };

/// "F32", "BF16", … as safetensors writes it.
[[nodiscard]] std::string_view dtype_name(Dtype dtype);
[[nodiscard]] std::size_t dtype_size(Dtype dtype);

/// A tensor inside a mapped file. `bytes` begins at element 0 and covers everything the strides reach; it need not be
/// aligned to the element size.
struct TensorView {
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  ///< in elements; empty when contiguous (row-major)
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< keeps `bytes` alive: the mapping, or a converted copy

  [[nodiscard]] std::int64_t numel() const;
};

/// "[4, 320, 3, 3] F32": for error messages.
[[nodiscard]] std::string describe(const TensorView& view);

/// The tensors of one file (or of all shards of one component) by name, with the file's string metadata.
struct TensorFile {
  std::string path;  ///< what errors name
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
};

}  // namespace atelier
