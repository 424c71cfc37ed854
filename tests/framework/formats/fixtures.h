#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"
#include "tests/support/temporary_folder.h"

/// The tiny models of make_single_files.py.
namespace fixtures {

/// data/<name>.safetensors: "sd1", "sd2", "sdxl".
[[nodiscard]] std::filesystem::path single_file(const std::string& name);
/// What data/tiny.json says about it: "model_index", configs by component, "expected".
[[nodiscard]] const atelier::Json& record(const std::string& name);
/// Writes the configs of a tiny model as a pipeline folder (without weights).
void write_configs(const std::string& name, const std::filesystem::path& folder);
void write_text(const std::filesystem::path& path, const std::string& text);

/// A view of that shape over no bytes.
[[nodiscard]] atelier::TensorView shaped(std::vector<std::int64_t> shape);
/// The elements in row-major order, whatever the strides.
[[nodiscard]] std::string contiguous_bytes(const atelier::TensorView& view);
/// "4x4x3x3 1a2b…": as tiny.json has it.
[[nodiscard]] std::string digest(const atelier::TensorView& view);
/// Names, shapes and bytes are those of `expected`, no more and no fewer.
void check_tensors(const atelier::TensorFile& file, const atelier::Json& expected);

}  // namespace fixtures
