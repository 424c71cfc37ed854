#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/image/encode.h"
#include "framework/plan/concept.h"
#include "framework/store/digest_cache.h"
#include "tests/support/temporary_folder.h"

namespace atelier::tests {

/// The product's data as the source tree has it.
inline std::filesystem::path data() { return std::filesystem::path(ATELIER_SOURCE_DIR) / "eval" / "data"; }

/// A folder for photos and files; what was decoded is remembered inside it.
class PlanWorld : public TemporaryFolder {
 public:
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path() / name).parent_path());
    write_file_atomically(path() / name, text);
  }
  /// A 12 × 8 picture whose bytes and look depend on `number`.
  void photo(const std::string& name, int number) const {
    std::filesystem::create_directories((path() / name).parent_path());
    auto image = make_raster<Image>({12, 8});
    unsigned state = static_cast<unsigned>(number) * 2654435761u + 1u;
    for (auto& value : image.pixels) value = static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
    write_png(path() / name, image);
  }
  [[nodiscard]] ConceptFolder read(const std::string& name, const ConceptFacts& known = {}) {
    return read_concept(path() / name, reader, known);
  }

  DigestCache digests{path() / "digests.jsonl"};
  PhotoReader reader{digests, path() / "photos.txt"};
};

/// A safetensors file without tensors; `mark` makes its bytes its own.
inline std::string no_tensors(const std::string& mark) {
  const auto header = R"({"__metadata__":{"mark":")" + mark + "\"}}";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  return file + header;
}

/// A pipeline in the layout of diffusers for 64 × 64 pictures, without tensors.
inline void write_pipeline(const PlanWorld& world, const std::string& folder, const std::string& mark = "a") {
  world.write(folder + "/model_index.json",
              R"({"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
                  "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
                  "tokenizer": ["transformers", "CLIPTokenizer"], "scheduler": ["diffusers", "DDIMScheduler"]})");
  world.write(folder + "/unet/config.json", R"({"_class_name": "UNet2DConditionModel", "sample_size": 16})");
  world.write(folder + "/vae/config.json", R"({"_class_name": "AutoencoderKL", "block_out_channels": [8, 8, 8]})");
  world.write(folder + "/text_encoder/config.json", R"({"hidden_size": 8})");
  world.write(folder + "/scheduler/scheduler_config.json", R"({"_class_name": "DDIMScheduler"})");
  world.write(folder + "/tokenizer/merges.txt", "#version: 0.2\n");
  for (const auto* name : {"/unet/diffusion_pytorch_model", "/vae/diffusion_pytorch_model", "/text_encoder/model"}) {
    world.write(folder + name + ".safetensors", no_tensors(mark));
  }
}

/// The message of the Error that `call` throws; "" when it throws none.
template <typename Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace atelier::tests
