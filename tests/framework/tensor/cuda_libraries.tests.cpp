#include "framework/tensor/cuda_libraries.h"

#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "framework/tensor/devices.h"
#include "tests/support/catch_torch.h"

namespace {

/// What the program prints for an order, with a stand-in for the driver and, unless empty, for libtorch_cuda.
std::string run_order(const std::string& order, const std::string& torch_cuda = ATELIER_FAKE_TORCH_CUDA) {
  const std::string command = "LD_LIBRARY_PATH='" ATELIER_FAKE_DRIVER_DIR "' ATELIER_TORCH_CUDA='" + torch_cuda +
                              "' '" ATELIER_CUDA_ORDER "' " + order;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::array<char, 4096> text{};
  return {text.data(), std::fread(text.data(), 1, text.size(), pipe.get())};
}

}  // namespace

TEST_CASE("CUDA libraries opened before the first ATen call are seen", "[tensor][cuda]") {
  CHECK(run_order("libraries-first").starts_with("1 1\n"));
}

TEST_CASE("CUDA libraries opened after the first ATen question are not seen: the order matters", "[tensor][cuda]") {
  CHECK(run_order("aten-first").starts_with("1 0\n"));
}

TEST_CASE("libtorch_cuda is looked for beside libtorch_cpu", "[tensor][cuda]") {
  const std::string printed = run_order("libraries-first", "");
  CAPTURE(printed);
  const bool opened = printed.starts_with("1 ");  // after `make cuda`
  CHECK((opened || printed.find(ATELIER_TORCH_LIB "/libtorch_cuda.so") != std::string::npos));
}

TEST_CASE("asking for a GPU where there is none says why and what to do", "[tensor][cuda]") {
  if (atelier::open_cuda_libraries().torch_cuda) return;  // a machine with a GPU
  CHECK_NOTHROW(atelier::require_device(c10::Device(c10::kCPU)));
  CHECK_THROWS_WITH(atelier::require_device(c10::Device(c10::kCUDA, 0)),
                    Catch::Contains("--device cuda:0") && Catch::Contains("use --device cpu"));
}
