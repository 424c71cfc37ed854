// Stands in for NVIDIA's management library: two devices of 80 and 24 GiB, driver 580.65.
#include <cstdio>
#include <cstring>

namespace {
struct Device {
  const char* name;
  unsigned long long gibibytes;
};
Device devices[] = {{"Fake H100", 80}, {"Fake RTX", 24}};
struct Memory {
  unsigned long long total, free, used;
};
bool started = false;

int copy(const char* text, char* out, unsigned length) { return std::snprintf(out, length, "%s", text) < 0; }
}  // namespace

extern "C" {
int nvmlInit_v2() {
  started = true;
  return 0;
}
int nvmlShutdown() { return started ? 0 : 1; }
int nvmlSystemGetDriverVersion(char* out, unsigned length) { return copy("580.65", out, length); }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return started ? 0 : 1;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device** device) {
  *device = &devices[index];
  return index < 2 ? 0 : 2;
}
int nvmlDeviceGetName(Device* device, char* out, unsigned length) { return copy(device->name, out, length); }
int nvmlDeviceGetUUID(Device*, char* out, unsigned length) { return copy("GPU-0", out, length); }
int nvmlDeviceGetMemoryInfo(Device* device, Memory* memory) {
  *memory = {device->gibibytes << 30, 0, 0};
  return 0;
}
}
