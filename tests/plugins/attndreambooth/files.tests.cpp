// The files of the published program, written and read.
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <filesystem>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/files/torch_writer.h"
#include "framework/tensor/tensor_io.h"
#include "plugins/attndreambooth/files.h"
#include "tests/plugins/attndreambooth/world.h"
#include "tests/support/temporary_folder.h"

using namespace attn_world;
namespace fs = std::filesystem;

namespace {

TrainedArtifact with_vectors(std::int64_t count) {
  TrainedArtifact artifact;
  for (std::int64_t i = 0; i < count; ++i) {
    artifact.tensors[kToken + (i == 0 ? "" : "_" + std::to_string(i))] =
        at::full({4}, static_cast<double>(i), at::kFloat);
  }
  artifact.step = 60;
  return artifact;
}

void write_all(const fs::path& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [name, bytes] : files) {
    fs::create_directories((folder / name).parent_path());
    write_file_atomically(folder / name, bytes);
  }
}

void write_unet(const fs::path& folder, double value) {
  fs::create_directories(folder / "unet");
  write_named_tensors(folder / "unet/diffusion_pytorch_model.safetensors",
                      {.tensors = {{"conv_in.bias", at::full({2}, value, at::kFloat)}}, .metadata = {}});
}

double unet_value(const fs::path& folder) {
  const auto artifact = attndreambooth::read_output(ForeignFiles(folder));
  REQUIRE(artifact);
  return artifact->tensors.at("unet.conv_in.bias")[0].item<double>();
}

}  // namespace

TEST_CASE("Vectors are written under the program's names and read back in their order", "[attndreambooth][files]") {
  const TemporaryFolder folder;
  const auto artifact = with_vectors(12);
  const auto files = attndreambooth::embedding_files(artifact);
  REQUIRE(files.size() == 1);
  CHECK(files.begin()->first == "learned_embeds/learned_embeds_steps_60.bin");
  write_all(folder.path(), files);
  const ForeignFiles written(folder.path());
  const auto names = written.tensors("learned_embeds/learned_embeds_steps_60.bin").tensors;
  CHECK(names.size() == 12);
  CHECK(names.contains("new_concept_v0"));
  CHECK(names.contains("new_concept_v11"));
  const auto again = attndreambooth::read_output(written);
  REQUIRE(again);
  CHECK(again->tensors.size() == 12);
  for (const auto& [name, tensor] : artifact.tensors) {
    INFO(name);
    CHECK(at::equal(again->tensors.at(name), tensor));
  }
  CHECK(again->notes.at("placeholder_token") == "new_concept_v0");
}

TEST_CASE("Each stage's UNet has the program's folder", "[attndreambooth][files]") {
  auto artifact = with_vectors(1);
  CHECK(attndreambooth::unet_folders(artifact).empty());
  artifact.tensors["unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"] = at::ones({2, 2});
  artifact.step = 100;
  using Folders = std::map<std::string, std::string>;
  CHECK(attndreambooth::unet_folders(artifact) == Folders{{"learned_models/attn_models/checkpoint-100/unet", "unet"}});
  artifact.tensors["unet.conv_in.bias"] = at::ones({2});
  artifact.step = 500;
  CHECK(attndreambooth::unet_folders(artifact) == Folders{{"learned_models/unet_models/checkpoint-500/unet", "unet"}});
  CHECK(attndreambooth::embedding_files(artifact).contains("learned_embeds/learned_embeds.bin"));
}

TEST_CASE("Of an output folder the last embedding and the last UNet count", "[attndreambooth][files]") {
  const TemporaryFolder folder;
  CHECK_FALSE(attndreambooth::read_output(ForeignFiles(folder.path())));
  write_unet(folder / "learned_models/attn_models/checkpoint-100", 1.0);
  CHECK_FALSE(attndreambooth::read_output(ForeignFiles(folder.path())));
  auto early = with_vectors(1);
  early.step = 9;
  early.tensors[kToken] = at::full({4}, -1.0, at::kFloat);
  write_all(folder.path(), attndreambooth::embedding_files(early));
  write_all(folder.path(), attndreambooth::embedding_files(with_vectors(1)));
  CHECK(at::equal(attndreambooth::read_output(ForeignFiles(folder.path()))->tensors.at(kToken), at::zeros({4})));
  CHECK(unet_value(folder.path()) == 1.0);
  write_unet(folder / "learned_models/unet_models/checkpoint-90", 2.0);
  CHECK(unet_value(folder.path()) == 2.0);
  write_unet(folder / "learned_models/unet_models/checkpoint-500", 3.0);
  CHECK(unet_value(folder.path()) == 3.0);
}

TEST_CASE("An embedding file that holds something else is an error", "[attndreambooth][files]") {
  const TemporaryFolder folder;
  const TensorView view = to_view(at::ones({2, 2}));
  write_all(folder.path(),
            {{"learned_embeds_steps_60.bin", torch_file(TorchValue::Dictionary{{"new_concept_v0", view}})}});
  CHECK_THROWS_WITH(attndreambooth::read_output(ForeignFiles(folder.path())), Catch::Contains("vectors [D]"));
  write_all(folder.path(), {{"learned_embeds_steps_60.bin", "no pickle"}});
  CHECK_THROWS_AS(attndreambooth::read_output(ForeignFiles(folder.path())), Error);
}
