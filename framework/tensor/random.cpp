#include "framework/tensor/random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

namespace atelier {

at::Generator make_generator(std::uint64_t seed) { return at::detail::createCPUGenerator(seed); }

Tensor randn(at::IntArrayRef shape, at::Generator& generator) {
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
}

}  // namespace atelier
