#include <dlfcn.h>

#include <array>
#include <filesystem>

#include "framework/cli/machine.h"

namespace atelier::cli {
namespace {

// The part of NVIDIA's management library that is used here, as its documentation declares it. 0 means success.
using Device = struct NvmlDevice*;
struct Memory {
  unsigned long long total, free, used;
};
using Init = int (*)();
using DriverVersion = int (*)(char*, unsigned);
using Count = int (*)(unsigned*);
using HandleByIndex = int (*)(unsigned, Device*);
using DeviceText = int (*)(Device, char*, unsigned);
using MemoryInfo = int (*)(Device, Memory*);

class ManagementLibrary {
 public:
  ManagementLibrary() : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    started_ = library_ != nullptr && call<Init>("nvmlInit_v2") == 0;
  }
  ~ManagementLibrary() {
    if (started_) call<Init>("nvmlShutdown");
    if (library_ != nullptr) ::dlclose(library_);
  }
  ManagementLibrary(const ManagementLibrary&) = delete;
  ManagementLibrary& operator=(const ManagementLibrary&) = delete;

  [[nodiscard]] bool found() const { return library_ != nullptr; }
  [[nodiscard]] bool started() const { return started_; }

  /// The function's result, or -1 when the library does not have it.
  template <typename Function, typename... Arguments>
  int call(const char* name, Arguments... arguments) const {
    const auto function = reinterpret_cast<Function>(::dlsym(library_, name));
    return function == nullptr ? -1 : function(arguments...);
  }

 private:
  void* library_;
  bool started_ = false;
};

Gpu describe(const ManagementLibrary& library, Device device) {
  Gpu gpu;
  std::array<char, 128> text{};
  constexpr unsigned kLength = text.size() - 1;
  if (library.call<DeviceText>("nvmlDeviceGetName", device, text.data(), kLength) == 0) gpu.name = text.data();
  if (library.call<DeviceText>("nvmlDeviceGetUUID", device, text.data(), kLength) == 0) gpu.uuid = text.data();
  Memory memory{};
  if (library.call<MemoryInfo>("nvmlDeviceGetMemoryInfo", device, &memory) == 0) gpu.memory_bytes = memory.total;
  return gpu;
}

}  // namespace

Gpus describe_gpus() {
  Gpus gpus;
  const ManagementLibrary library;
  if (!library.started()) {
    const bool driver = std::filesystem::exists("/proc/driver/nvidia/version");
    gpus.note = library.found() ? "the NVIDIA driver does not answer"
                : driver        ? "the NVIDIA driver is loaded, but libnvidia-ml.so.1 is missing"
                                : "no NVIDIA driver";
    return gpus;
  }
  std::array<char, 96> version{};
  if (library.call<DriverVersion>("nvmlSystemGetDriverVersion", version.data(), unsigned{version.size() - 1}) == 0) {
    gpus.driver = version.data();
  }
  unsigned count = 0;
  if (library.call<Count>("nvmlDeviceGetCount_v2", &count) != 0) count = 0;
  for (unsigned i = 0; i < count; ++i) {
    Device device = nullptr;
    if (library.call<HandleByIndex>("nvmlDeviceGetHandleByIndex_v2", i, &device) == 0)
      gpus.devices.push_back(describe(library, device));
  }
  if (gpus.devices.empty()) gpus.note = "the NVIDIA driver lists no device";
  return gpus;
}

}  // namespace atelier::cli
