// What the method writes as its published programs' files, it reads back; and what is not its own it leaves alone.
#include "plugins/custom_diffusion/foreign.h"

#include <ATen/ops/equal.h>

#include "framework/core/atomic_file.h"
#include "framework/files/safetensors_writer.h"
#include "framework/files/torch_writer.h"
#include "framework/tensor/tensor_io.h"
#include "plugins/custom_diffusion/files.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::custom_diffusion;

namespace {

const std::string kBlock = "down_blocks.0.attentions.0.transformer_blocks.0.";

ModuleNames two_attentions() {
  ModuleNames names;
  for (const char* attention : {"attn1", "attn2"}) {
    for (const char* leaf : {"to_q", "to_k", "to_v", "to_out.0"}) {
      names.add("unet", kBlock + attention + "." + leaf + ".weight", std::vector<std::int64_t>{8, 8});
    }
  }
  return names;
}

TrainedArtifact made(bool sdxl = false) {
  TrainedArtifact artifact;
  std::uint64_t seed = 0;
  for (const char* leaf : {"to_k.weight", "to_v.weight", "to_q.weight", "to_out.0.weight"}) {
    artifact.tensors["unet." + kBlock + "attn2." + leaf] = tiny::random({8, 8}, ++seed);
  }
  artifact.tensors["unet." + kBlock + "attn2.to_out.0.bias"] = tiny::random({8}, ++seed);
  artifact.tensors["text_encoder.token.<new1>"] = tiny::random({8}, ++seed);
  if (sdxl) artifact.tensors["text_encoder_2.token.<new1>"] = tiny::random({12}, ++seed);
  return artifact;
}

std::optional<TrainedArtifact> read_back(const std::filesystem::path& path) {
  const ForeignFiles files(path);
  const auto target = two_attentions();
  return read_foreign({.files = files, .target = target});
}

void check_same(const TrainedArtifact& expected, const std::optional<TrainedArtifact>& found) {
  REQUIRE(found.has_value());
  REQUIRE(found->tensors.size() == expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    INFO(name);
    REQUIRE(found->tensors.contains(name));
    CHECK(at::equal(found->tensors.at(name), tensor));
  }
}

}  // namespace

TEST_CASE("Both kinds of files are read back as they were written", "[custom_diffusion][files]") {
  const bool sdxl = GENERATE(false, true);
  const bool safe = GENERATE(false, true);
  const auto artifact = made(sdxl);
  const TemporaryFolder folder;
  if (safe) {
    for (const auto& [name, content] : diffusers_files(artifact, two_attentions())) {
      write_safetensors(folder / name, content.tensors, {.metadata = content.metadata, .add_format = false});
    }
  } else {
    for (const auto& [name, bytes] : torch_files(artifact, two_attentions())) {
      write_file_atomically(folder / name, bytes);
    }
  }
  check_same(artifact, read_back(folder.path()));
}

TEST_CASE("The weights alone are an artifact without a token", "[custom_diffusion][files]") {
  const TemporaryFolder folder;
  auto artifact = made();
  const auto files = diffusers_files(artifact, two_attentions());
  const auto& weights = files.at("pytorch_custom_diffusion_weights.safetensors");
  write_safetensors(folder / "renamed.safetensors", weights.tensors, {.metadata = weights.metadata});
  artifact.tensors.erase("text_encoder.token.<new1>");
  check_same(artifact, read_back(folder / "renamed.safetensors"));
}

TEST_CASE("delta.bin of the authors' program holds weights and token", "[custom_diffusion][files]") {
  const auto artifact = made();
  TorchValue::Dictionary weights, tokens;
  for (const auto& [name, tensor] : artifact.tensors) {
    if (name.starts_with("unet.")) weights.emplace_back(name.substr(5), to_view(tensor));
  }
  tokens.emplace_back("<new1>", to_view(artifact.tensors.at("text_encoder.token.<new1>")));
  const TemporaryFolder folder;
  write_file_atomically(folder / "delta.bin",
                        torch_file(TorchValue::Dictionary{{"unet", weights}, {"modifier_token", tokens}}));
  check_same(artifact, read_back(folder / "delta.bin"));
  check_same(artifact, read_back(folder.path()));
}

TEST_CASE("Other files are somebody else's", "[custom_diffusion][files]") {
  const TemporaryFolder folder;
  CHECK_FALSE(read_back(folder.path()).has_value());
  write_file_atomically(folder / "notes.txt", "text");
  CHECK_FALSE(read_back(folder / "notes.txt").has_value());
  write_file_atomically(folder / "broken.bin", "text");
  CHECK_FALSE(read_back(folder / "broken.bin").has_value());
  write_safetensors(folder / "lora.safetensors",
                    {{"unet.a.attn2.to_k.lora_A.weight", to_view(tiny::random({2, 8}, 1))}}, {});
  CHECK_FALSE(read_back(folder / "lora.safetensors").has_value());
  write_file_atomically(folder / "pytorch_custom_diffusion_weights.bin", "text");
  CHECK_THROWS(read_back(folder.path()));
}
