#include "framework/tensor/cuda_libraries.h"

#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "framework/tensor/devices.h"
#include "tests/support/catch_torch.h"

namespace {

/// What the program prints for an order, with stand-ins for the driver and for libtorch_cuda.
std::string run_order(const std::string& order) {
  const std::string command = "LD_LIBRARY_PATH='" ATELIER_FAKE_DRIVER_DIR "' ATELIER_TORCH_CUDA='" ATELIER_FAKE_TORCH_CUDA
                              "' '" ATELIER_CUDA_ORDER "' " + order;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::array<char, 64> line{};
  return std::fgets(line.data(), line.size(), pipe.get()) != nullptr ? line.data() : "";
}

}  // namespace

TEST_CASE("CUDA libraries opened before the first ATen call are seen", "[tensor][cuda]") {
  CHECK(run_order("libraries-first") == "1 1\n");
}

TEST_CASE("CUDA libraries opened after the first ATen question are not seen: the order matters", "[tensor][cuda]") {
  CHECK(run_order("aten-first") == "1 0\n");
}

TEST_CASE("asking for a GPU where there is none says why and what to do", "[tensor][cuda]") {
  if (atelier::open_cuda_libraries().torch_cuda) return;  // a machine with a GPU
  CHECK_NOTHROW(atelier::require_device(c10::Device(c10::kCPU)));
  CHECK_THROWS_WITH(atelier::require_device(c10::Device(c10::kCUDA, 0)),
                    Catch::Contains("--device cuda:0") && Catch::Contains("use --device cpu"));
}
