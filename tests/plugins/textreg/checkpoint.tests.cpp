#include "plugins/textreg/checkpoint.h"

#include <fmt/format.h>

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/artifact_file.h"
#include "framework/tensor/tensor_io.h"
#include "tests/plugins/textreg/world.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::textreg;

namespace {

/// The 16 blocks of SD 1.5 with their widths, in the order of the published checkpoint: the mid block last.
std::vector<std::pair<std::string, std::int64_t>> blocks() {
  std::vector<std::pair<std::string, std::int64_t>> all;
  const auto add = [&](const char* name, int count, std::int64_t width) {
    for (int i = 0; i < count; ++i)
      all.emplace_back(fmt::format("{}.attentions.{}.transformer_blocks.0", name, i), width);
  };
  add("down_blocks.0", 2, 320), add("down_blocks.1", 2, 640), add("down_blocks.2", 2, 1280);
  add("up_blocks.1", 3, 1280), add("up_blocks.2", 3, 640), add("up_blocks.3", 3, 320);
  add("mid_block", 1, 1280);
  return all;
}

ModuleNames sd15_layers() {
  ModuleNames names;
  const auto linear = [&](const std::string& component, const std::string& path, std::int64_t out, std::int64_t in) {
    names.add(component, path + ".weight", std::vector<std::int64_t>{out, in});
  };
  for (const auto& [block, width] : blocks()) {
    for (const char* attention : {"attn1", "attn2"}) {
      const auto path = block + "." + attention;
      const std::int64_t in = attention == std::string("attn2") ? 768 : width;
      linear("unet", path + ".to_q", width, width);
      linear("unet", path + ".to_k", width, in);
      linear("unet", path + ".to_v", width, in);
      linear("unet", path + ".to_out.0", width, width);
    }
    linear("unet", block + ".ff.net.0.proj", 8 * width, width);
    linear("unet", block + ".ff.net.2", width, 4 * width);
  }
  for (int layer = 0; layer < 12; ++layer) {
    for (const char* leaf : {"k_proj", "v_proj", "q_proj", "out_proj"}) {
      linear("text_encoder", fmt::format("text_model.encoder.layers.{}.self_attn.{}", layer, leaf), 768, 768);
    }
  }
  return names;
}

TrainedArtifact sd15_artifact(std::int64_t rank = 10) {
  TrainedArtifact artifact;
  artifact.tensors["text_encoder.token.<krk1>"] = random_tensor({768}, 1);
  std::uint64_t seed = 1;
  for (const auto& [block, width] : blocks()) {
    for (const char* leaf : {"to_k", "to_v"}) {
      const auto layer = fmt::format("unet.{}.attn2.{}", block, leaf);
      artifact.tensors[layer + ".lora_A.weight"] = random_tensor({rank, 768}, ++seed);
      artifact.tensors[layer + ".lora_B.weight"] = random_tensor({width, rank}, ++seed);
    }
  }
  return artifact;
}

std::string bytes_of(const TensorSet& set, const std::filesystem::path& path) {
  write_safetensors(path, set.tensors, {.metadata = set.metadata, .add_format = false});
  return read_text_file(path);
}

Tensor of(const TensorSet& set, const std::string& name) { return to_tensor(set.tensors.at(name)); }

/// A checkpoint as `atelier sample --artifact` reads it.
TrainedArtifact load(const std::filesystem::path& path) {
  const Artifact file = read_artifact(path, sd15_layers());
  TrainedArtifact artifact;
  for (const LoraEntry& entry : file.lora->entries) {
    CHECK(entry.alpha == static_cast<double>(entry.rank));
    artifact.tensors[entry.module + ".lora_A.weight"] = to_tensor(entry.down).to(at::kFloat);
    artifact.tensors[entry.module + ".lora_B.weight"] = to_tensor(entry.up).to(at::kFloat);
  }
  for (const auto& token : file.embeddings)
    artifact.tensors["text_encoder.token." + token.token] = to_tensor(token.towers.at("text_encoder")).reshape(-1);
  return artifact;
}

}  // namespace

TEST_CASE("At the shape of SD 1.5 and rank 10 there are 495,360 numbers to train", "[textreg][checkpoint]") {
  std::int64_t numbers = 0;
  for (const auto& [name, tensor] : sd15_artifact().tensors) numbers += name.starts_with("unet") ? tensor.numel() : 0;
  CHECK(numbers == 495'360);
}

TEST_CASE("A checkpoint has 161 tensors, 2,468,352 bytes and the published names", "[textreg][checkpoint]") {
  const auto artifact = sd15_artifact();
  const auto set = lora_weight(artifact, sd15_layers());
  CHECK(set.tensors.size() == 161);
  std::size_t bytes = 0;
  for (const auto& [name, view] : set.tensors) {
    bytes += view.bytes.size();
    CHECK(view.dtype == (name == "<krk1>" ? Dtype::f32 : Dtype::f16));
  }
  CHECK(bytes == 2'468'352);
  CHECK(set.tensors.at("<krk1>").shape == std::vector<std::int64_t>{1, 768});
  CHECK(set.metadata.at("unet") == R"(["BasicTransformerBlock"])");
  CHECK(set.metadata.at("text_encoder") == R"(["CLIPAttention"])");
  CHECK(set.metadata.at("unet:31:rank") == "10");
  CHECK(set.metadata.at("text_encoder:47:rank") == "10");
  CHECK(set.metadata.at("<krk1>") == "<embed>");
  CHECK(of(set, "text_encoder:5:up").abs().sum().item<float>() == 0.0F);
}

TEST_CASE("Layers are numbered down, up, mid, keys before values", "[textreg][checkpoint]") {
  const auto artifact = sd15_artifact();
  const auto set = lora_weight(artifact, sd15_layers());
  std::size_t index = 0;
  for (const auto& [block, width] : blocks()) {
    for (const char* leaf : {"to_k", "to_v"}) {
      const auto& up = artifact.tensors.at(fmt::format("unet.{}.attn2.{}.lora_B.weight", block, leaf));
      CHECK(at::equal(of(set, fmt::format("unet:{}:up", index++)), up.to(at::kHalf)));
    }
  }
}

TEST_CASE("Saving, loading and saving again gives the same bytes", "[textreg][checkpoint]") {
  const TemporaryFolder folder;
  const auto first = bytes_of(lora_weight(sd15_artifact(), sd15_layers()), folder / "lora_weight.safetensors");
  const auto loaded = load(folder / "lora_weight.safetensors");
  CHECK(first == bytes_of(lora_weight(loaded, sd15_layers()), folder / "again.safetensors"));
  CHECK(at::equal(loaded.tensors.at("text_encoder.token.<krk1>"), random_tensor({768}, 1)));
}

TEST_CASE("The identifier alone is a checkpoint of stage ti", "[textreg][checkpoint]") {
  TrainedArtifact artifact;
  artifact.tensors["text_encoder.token.<krk1>"] = random_tensor({768}, 1);
  const auto set = lora_weight(artifact, sd15_layers());
  CHECK(set.tensors.size() == 1);
  CHECK(set.metadata.at("<krk1>") == "<embed>");
}

TEST_CASE("A base model with two text encoders has no such checkpoint", "[textreg][checkpoint]") {
  auto layers = sd15_layers();
  layers.add("text_encoder_2", "text_model.encoder.layers.0.self_attn.k_proj.weight", std::vector<std::int64_t>{8, 8});
  CHECK_THROWS_AS(lora_weight(sd15_artifact(), layers), Error);
}

TEST_CASE("A checkpoint's identifier starts stage ut", "[textreg][checkpoint]") {
  const TemporaryFolder folder;
  TrainedArtifact artifact;
  artifact.tensors[kToken] = random_tensor({32}, 7);
  (void)bytes_of(lora_weight(artifact, sd15_layers()), folder / "lora_weight_s500.safetensors");
  LoRALoss loss;
  loss.identifier_file = (folder / "lora_weight_s500.safetensors").string();
  const auto stage = make_lora_stage(settings_for("ut", resolved({{"lora_rank", 4}})), loss);
  Session session(tiny_base());
  RandomDraws initial({.seed = 0, .stage = 1, .step = -1, .slot = -1});
  (void)stage->attach(session, Start(), initial);
  CHECK(at::equal(published(*stage).tensors.at(kToken), random_tensor({32}, 7)));
}
