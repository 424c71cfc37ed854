#include <cstdlib>

#include "framework/cli/machine.h"
#include "framework/plan/data_folder.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

/// As the worker looks for them; its own look is the one that counts.
bool has_cuda_libraries() {
  if (const auto given = variable("ATELIER_TORCH_CUDA"); given && !given->empty()) return fs::exists(*given);
  const auto folder = torch_folder();
  return folder && fs::exists(*folder / "libtorch_cuda.so");
}

}  // namespace

std::optional<fs::path> torch_folder() {
  for (const fs::path& folder : {fs::path(ATELIER_TORCH_LIB), program_folder().parent_path() / "lib"}) {
    std::error_code error;
    if (!folder.empty() && fs::exists(folder / "libtorch_cpu.so", error)) return folder;
  }
  return std::nullopt;
}

std::string automatic_device() {
  const auto visible = variable("CUDA_VISIBLE_DEVICES");
  const bool hidden = visible && (visible->empty() || visible->starts_with('-'));
  if (hidden || !variable("ATELIER_NO_CUDA").value_or("").empty() || !has_cuda_libraries()) return "cpu";
  return describe_gpus().devices.empty() ? "cpu" : "cuda:0";
}

}  // namespace atelier::cli
