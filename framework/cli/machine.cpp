#include "framework/cli/machine.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace atelier::cli {
namespace {

/// "key : value" of the first line of /proc/cpuinfo that begins with `key`.
std::string cpuinfo(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? std::string{} : line.substr(value);
  }
  return {};
}

std::vector<std::string> isa_of(const std::string& flags) {
  std::istringstream words(flags);
  const std::set<std::string> known{std::istream_iterator<std::string>(words), {}};
  std::vector<std::string> isa;
  const auto add = [&](const char* flag, const char* name) {
    if (known.contains(flag)) isa.emplace_back(name);
  };
  add("avx2", "avx2");
  add("avx512f", "avx512");
  add("avx512_bf16", "avx512_bf16");
  add("amx_tile", "amx");
  return isa;
}

std::uint64_t meminfo(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key + ":")) continue;
    std::istringstream value(line.substr(key.size() + 1));
    std::uint64_t kibibytes = 0;
    value >> kibibytes;
    return kibibytes * 1024;
  }
  return 0;
}

/// A control group's limit (version 2), or the largest number.
std::uint64_t group_limit() {
  std::ifstream file("/sys/fs/cgroup/memory.max");
  std::uint64_t bytes = 0;
  return file >> bytes ? bytes : ~std::uint64_t{0};
}

}  // namespace

Machine describe_machine() {
  Machine machine;
  machine.cpu = cpuinfo("model name");
  machine.isa = isa_of(cpuinfo("flags"));
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) machine.cores = CPU_COUNT(&set);
  const std::uint64_t limit = group_limit();
  machine.memory_bytes = std::min(meminfo("MemTotal"), limit);
  machine.available_bytes = std::min(meminfo("MemAvailable"), limit);
  return machine;
}

}  // namespace atelier::cli
