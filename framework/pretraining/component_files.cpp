#include "framework/pretraining/component_files.h"

#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {

namespace fs = std::filesystem;

fs::path write_json(const fs::path& file, const Json& json) {
  fs::create_directories(file.parent_path());
  write_file_atomically(file, pretty_json(json));
  return file;
}

std::vector<fs::path> write_component(const fs::path& folder, const Json& config, const TensorMap& weights) {
  const bool diffusers = config.contains("_class_name") || config.contains("_diffusers_version");
  const fs::path file = folder / (diffusers ? "diffusion_pytorch_model.safetensors" : "model.safetensors");
  fs::create_directories(folder);
  write_named_tensors(file, {.tensors = weights, .metadata = {}});
  return {file, write_json(folder / "config.json", config)};
}

std::vector<fs::path> copy_tokenizer(const fs::path& from, const fs::path& to) {
  std::vector<fs::path> copies;
  fs::create_directories(to);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json",
                           "special_tokens_map.json", "added_tokens.json"}) {
    if (!fs::is_regular_file(from / name)) continue;
    write_file_atomically(to / name, read_text_file(from / name));
    copies.push_back(to / name);
  }
  if (!copies.empty()) return copies;
  throw Error({.where = from.string(), .found = "no files of a tokenizer", .expected = "vocab.json and merges.txt"});
}

}  // namespace atelier
