#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/core/json.h"

/// A safetensors file taken apart: eight bytes of length, a header in JSON, the tensors' bytes.
struct RawSafetensors {
  atelier::Json header;
  std::string data;
};

/// Rewrites the file after `edit`, with the header's length made right again.
void edit_safetensors(const std::filesystem::path& path, const std::function<void(RawSafetensors&)>& edit);
/// Replaces the first eight bytes.
void set_header_length(const std::filesystem::path& path, std::uint64_t length);
/// The tensor whose data come last.
[[nodiscard]] std::string last_tensor(const RawSafetensors& file);
/// A file that holds one float32 tensor of zeros.
[[nodiscard]] std::string zeros_file(const std::string& name, const std::vector<std::int64_t>& shape);

void set_config(const std::filesystem::path& config, const std::string& key, const atelier::Json& value);
