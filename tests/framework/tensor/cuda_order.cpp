// Prints whether LibTorch believes in CUDA: `libraries-first` opens the libraries before any ATen call, as the worker
// does; `aten-first` asks ATen first and opens them then.
#include <ATen/Context.h>

#include <cstdio>
#include <string_view>

#include "framework/tensor/cuda_libraries.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (std::string_view(argv[1]) == "aten-first") (void)at::globalContext().hasCUDA();
  const auto& found = atelier::open_cuda_libraries();
  std::printf("%d %d\n%s\n", found.torch_cuda ? 1 : 0, at::globalContext().hasCUDA() ? 1 : 0, found.reason.c_str());
  return 0;
}
