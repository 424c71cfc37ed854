#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/tensor/tensor.h"

namespace atelier {

/// Writes config.json and the weights of a component, each whole or not at all, in the layout of its library:
/// diffusion_pytorch_model.safetensors where the config names a class of diffusers, else model.safetensors. Returns the
/// files.
std::vector<std::filesystem::path> write_component(const std::filesystem::path& folder, const Json& config,
                                                   const TensorMap& weights);

/// Copies the tokenizer's files that are there (vocab.json, merges.txt, tokenizer.json, …). Returns the copies. Throws
/// Error when the folder holds no tokenizer.
std::vector<std::filesystem::path> copy_tokenizer(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes the folder and writes JSON into it. Returns the file.
std::filesystem::path write_json(const std::filesystem::path& file, const Json& json);

}  // namespace atelier
