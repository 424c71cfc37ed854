#include "framework/tensor/devices.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include "framework/core/error.h"
#include "framework/tensor/cuda_libraries.h"

namespace atelier {
namespace {

/// The cores this process may run on, which in a container or under Slurm are fewer than the machine's.
int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace

void set_threads(std::optional<std::int64_t> threads) {
  at::set_num_threads(threads ? static_cast<int>(*threads) : usable_cores());
}

void use_exact_arithmetic() {
  auto& context = at::globalContext();
  context.setAllowTF32CuDNN(false);
  context.setDeterministicCuDNN(true);
}

void require_device(c10::Device device) {
  if (device.is_cpu()) return;
  const auto& libraries = open_cuda_libraries();
  const std::string where = fmt::format("--device {}", device.str());
  if (!libraries.torch_cuda) {
    throw Error({.where = where,
                 .found = "no CUDA libraries: " + libraries.reason,
                 .expected = "an NVIDIA driver and LibTorch's CUDA libraries",
                 .advice = "use --device cpu, or run `make cuda` on a machine with an NVIDIA GPU"});
  }
  const auto count = at::globalContext().hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  if (device.index() >= count) {
    throw Error({.where = where,
                 .found = fmt::format("{} CUDA devices", static_cast<int>(count)),
                 .expected = "an index below that",
                 .advice = "see `atelier doctor`"});
  }
}

std::int64_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace atelier
