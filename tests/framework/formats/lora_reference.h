#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/formats/lora_file.h"

/// The files of lora/ and what make_lora_references.py says they hold.
namespace lora_reference {

/// lora/<name> beside this source.
[[nodiscard]] std::filesystem::path path(const std::string& name);
/// expected.json
[[nodiscard]] const atelier::Json& expected();
/// The layers of the target "sd" or "sdxl".
[[nodiscard]] atelier::ModuleNames target(const std::string& name);

/// Matrices by the formula of the script: half 0 is down, half 1 up. As float32.
[[nodiscard]] atelier::TensorView matrix(const atelier::ModuleNames& target, const std::string& module, int half,
                                         std::int64_t rank);
/// A LoRA of these matrices on layers "component.path"; alpha is alphas[i % size].
[[nodiscard]] std::vector<atelier::LoraEntry> entries(const atelier::ModuleNames& target,
                                                      const std::vector<std::string>& modules, std::int64_t rank,
                                                      const std::vector<double>& alphas);

/// Checks that the entries are those modules with the ranks and alphas expected ([rank, alpha]) and the formula's
/// matrices.
void check(const std::vector<atelier::LoraEntry>& entries, const atelier::ModuleNames& target,
           const atelier::Json& expected);

/// 1-D and 2-D values of a tensor.
[[nodiscard]] std::vector<double> values(const atelier::TensorView& view);

}  // namespace lora_reference
