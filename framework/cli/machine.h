#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace atelier::cli {

struct Machine {
  std::string cpu;                    ///< "AMD EPYC 9654"; "" when /proc/cpuinfo does not say
  int cores = 0;                      ///< that this process may use
  std::vector<std::string> isa;       ///< of avx2, avx512, avx512_bf16, amx: what matters to LibTorch's kernels
  std::uint64_t memory_bytes = 0;     ///< of the machine, or of the control group where that is less
  std::uint64_t available_bytes = 0;  ///< what the kernel says a new process could take
};
[[nodiscard]] Machine describe_machine();

struct Gpu {
  std::string name, uuid;
  std::uint64_t memory_bytes = 0;
};
struct Gpus {
  std::vector<Gpu> devices;
  std::string driver;  ///< version; "" when there is none
  std::string note;    ///< why the list is empty
};
/// Asks the driver's management library, opened by dlopen; nothing of CUDA is loaded.
[[nodiscard]] Gpus describe_gpus();

/// The folder of libtorch_cpu.so: where it was at build time, else beside the program.
[[nodiscard]] std::optional<std::filesystem::path> torch_folder();

/// What `device: auto` means here: "cuda:0" where there is a GPU that a worker can use, else "cpu". Not one when it is
/// hidden (CUDA_VISIBLE_DEVICES), switched off (ATELIER_NO_CUDA), or LibTorch's CUDA libraries are missing.
[[nodiscard]] std::string automatic_device();

}  // namespace atelier::cli
