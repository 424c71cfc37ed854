#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/formats/convert.h"

/// A file of every dialect, made here or (where nothing here can write it) by make_lora_references.py, and what it
/// holds.
namespace convert_sources {

struct Source {
  std::filesystem::path path;
  std::string target;                            ///< "sd" or "sdxl"
  std::vector<atelier::LoraEntry> entries = {};  ///< sorted by module
  std::vector<atelier::EmbeddingFile> tokens = {};
  std::string token = {};  ///< for `--token`, where the file does not say it
};

/// Writes one below `folder`. Fails the test for a dialect that it does not know. Ranks and alphas differ by layer, and
/// alpha / rank is a power of two, so that no dialect rounds.
[[nodiscard]] Source make(const std::string& dialect, const std::filesystem::path& folder);

/// Values without a pattern, between -1 and 1.
[[nodiscard]] atelier::TensorView noise(std::vector<std::int64_t> shape, std::uint64_t seed,
                                        atelier::Dtype dtype = atelier::Dtype::f32);
/// A LoRA on these modules of the target; alphas[i % size] / rank, ranks[i % size].
[[nodiscard]] std::vector<atelier::LoraEntry> lora(const atelier::ModuleNames& target,
                                                   const std::vector<std::string>& modules,
                                                   const std::vector<double>& scales,
                                                   const std::vector<std::int64_t>& ranks);
/// All layers of attention; with `geglu` also cloneofsimo's third class.
[[nodiscard]] std::vector<std::string> attention(const atelier::ModuleNames& target, bool geglu);

}  // namespace convert_sources
