#include "framework/tensor/cuda_libraries.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "framework/cuda/cuda_table.h"

namespace atelier {
namespace {

/// dlopen without symbols in the reason's way: "libcuda.so.1: cannot open shared object file".
bool open_library(const std::string& name, std::string& reason) {
  if (::dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return true;
  const char* message = ::dlerror();
  reason = message != nullptr ? message : name + " cannot be opened";
  return false;
}

/// The folder that a loaded library lies in, found by one of its symbols.
std::filesystem::path folder_of(const void* symbol) {
  Dl_info info{};
  return ::dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? std::filesystem::path(info.dli_fname).parent_path()
                                                                   : std::filesystem::path();
}

/// Beside libtorch_cpu, which our own link has loaded: the address of any of its functions tells where that is (taking
/// it calls nothing). ATELIER_TORCH_CUDA names the library where it lies elsewhere.
std::string torch_cuda_path() {
  if (const char* given = std::getenv("ATELIER_TORCH_CUDA"); given != nullptr && *given != '\0') return given;
  const auto* torch = reinterpret_cast<const void*>(&at::get_num_threads);
  return (folder_of(torch) / "libtorch_cuda.so").string();
}

CudaLibraries open() {
  CudaLibraries found;
  if (const char* off = std::getenv("ATELIER_NO_CUDA"); off != nullptr && *off != '\0') {
    found.reason = "switched off by ATELIER_NO_CUDA";
    return found;
  }
  if (!open_library("libcuda.so.1", found.reason)) return found;
  found.torch_cuda = open_library(torch_cuda_path(), found.reason);
  if (!found.torch_cuda) return found;
  const auto ours = folder_of(reinterpret_cast<const void*>(&open_cuda_libraries)) / "libatelier_cuda.so";
  found.atelier_cuda = open_library(ours.string(), found.reason);
  return found;
}

}  // namespace

const CudaLibraries& open_cuda_libraries() {
  static const CudaLibraries found = open();
  return found;
}

const CudaTable* cuda_table() {
  if (!open_cuda_libraries().atelier_cuda) return nullptr;
  static const CudaTable* const table = [] {
    using Get = const CudaTable* (*)();
    const auto get = reinterpret_cast<Get>(::dlsym(RTLD_DEFAULT, kCudaTableSymbol));
    const CudaTable* found = get != nullptr ? get() : nullptr;
    return found != nullptr && found->version == CudaTable::kVersion ? found : nullptr;
  }();
  return table;
}

}  // namespace atelier
