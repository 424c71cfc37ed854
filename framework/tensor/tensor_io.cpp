#include "framework/tensor/tensor_io.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstdint>
#include <cstring>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"

namespace atelier {
namespace {

bool aligned(const TensorView& view) {
  return reinterpret_cast<std::uintptr_t>(view.bytes.data()) % dtype_size(view.dtype) == 0;
}

std::vector<std::int64_t> contiguous_strides(at::IntArrayRef shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<std::int64_t>(shape[i], 1);
  return strides;
}

}  // namespace

Tensor to_tensor(const TensorView& view) {
  const auto options = at::TensorOptions().dtype(scalar_type(view.dtype));
  if (view.numel() == 0) return at::empty(view.shape, options);
  const auto strides = view.strides.empty() ? contiguous_strides(view.shape) : view.strides;
  std::shared_ptr<const void> owner = view.owner;
  const std::byte* data = view.bytes.data();
  if (!aligned(view)) {
    std::shared_ptr<std::byte[]> copy(new std::byte[view.bytes.size()]);
    std::memcpy(copy.get(), data, view.bytes.size());
    data = copy.get();
    owner = copy;
  }
  // from_blob wants a mutable pointer; the mapping is read-only and stays so (nothing trains in place on the base).
  void* address = const_cast<std::byte*>(data);
  return at::from_blob(
      address, view.shape, strides, [owner](void*) {}, options);
}

Tensor to_tensor(const TensorView& view, const Placement& placement) {
  const Tensor tensor = to_tensor(view);
  const auto dtype = tensor.is_floating_point() ? placement.dtype : tensor.scalar_type();
  return tensor.to(placement.device, dtype).contiguous();
}

TensorView to_view(const Tensor& tensor) {
  const auto dense = std::make_shared<const Tensor>(tensor.detach().to(at::kCPU).contiguous());
  TensorView view;
  view.dtype = file_dtype(dense->scalar_type());
  view.shape = dense->sizes().vec();
  view.bytes = {static_cast<const std::byte*>(dense->const_data_ptr()), dense->nbytes()};
  view.owner = dense;
  return view;
}

NamedTensors read_named_tensors(const std::filesystem::path& path) {
  TensorFile file = read_safetensors(path);
  NamedTensors content;
  content.metadata = std::move(file.metadata);
  for (const auto& [name, view] : file.tensors) content.tensors.emplace(name, to_tensor(view));
  return content;
}

void write_named_tensors(const std::filesystem::path& path, const NamedTensors& content) {
  std::map<std::string, TensorView> views;
  for (const auto& [name, tensor] : content.tensors) views.emplace(name, to_view(tensor));
  write_safetensors(path, views, {.metadata = content.metadata});
}

}  // namespace atelier
