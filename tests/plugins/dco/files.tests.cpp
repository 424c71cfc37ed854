// The authors' files: what is written, and that reading it gives the artifact back.
#include "plugins/dco/files.h"

#include <ATen/ops/equal.h>

#include "framework/files/safetensors_writer.h"
#include "framework/formats/artifact_file.h"
#include "framework/tensor/tensor_io.h"
#include "tests/plugins/dco/world.h"
#include "tests/support/temporary_folder.h"

using namespace dco_world;

namespace {

/// The blocks of SDXL with transformers: place, attentions, transformer blocks in each, width.
struct Place {
  const char* name;
  int attentions, blocks;
  std::int64_t width;
};
constexpr Place kPlaces[] = {{"down_blocks.1", 2, 2, 640},
                             {"down_blocks.2", 2, 10, 1280},
                             {"mid_block", 1, 10, 1280},
                             {"up_blocks.0", 3, 10, 1280},
                             {"up_blocks.1", 3, 2, 640}};

void add_block(const std::string& block, std::int64_t width, ModuleNames& names, TrainedArtifact& artifact) {
  for (const char* attention : {"attn1", "attn2"}) {
    for (const char* leaf : {"to_q", "to_k", "to_v", "to_out.0"}) {
      const bool text =
          attention == std::string("attn2") && (leaf == std::string("to_k") || leaf == std::string("to_v"));
      const std::int64_t in = text ? 2048 : width;
      const auto path = block + "." + attention + "." + leaf;
      names.add("unet", path + ".weight", std::vector<std::int64_t>{width, in});
      const auto seed = static_cast<std::uint64_t>(artifact.tensors.size());
      artifact.tensors["unet." + path + ".lora_A.weight"] = random_tensor({4, in}, seed);
      artifact.tensors["unet." + path + ".lora_B.weight"] = random_tensor({width, 4}, seed + 10000);
    }
  }
}

struct SdxlArtifact {
  ModuleNames names;
  TrainedArtifact artifact;

  SdxlArtifact() {
    for (const Place& place : kPlaces) {
      for (int a = 0; a < place.attentions; ++a) {
        for (int b = 0; b < place.blocks; ++b) {
          add_block(
              std::string(place.name) + ".attentions." + std::to_string(a) + ".transformer_blocks." + std::to_string(b),
              place.width, names, artifact);
        }
      }
    }
    artifact.tensors["text_encoder.token.<dco>"] = random_tensor({768}, 1);
    artifact.tensors["text_encoder_2.token.<dco>"] = random_tensor({1280}, 2);
  }
};

}  // namespace

TEST_CASE("The authors' LoRA of SDXL: 1120 tensors by their names, no alphas, in float32, and back", "[dco][files]") {
  const SdxlArtifact sdxl;
  const auto files = dco::published_files(sdxl.artifact);
  const auto& lora = files.at("pytorch_lora_weights.safetensors");
  CHECK(lora.tensors.size() == 1120);
  const auto key = "unet.mid_block.attentions.0.transformer_blocks.7.attn2.to_out.0.lora.up.weight";
  REQUIRE(lora.tensors.contains(key));
  CHECK(lora.tensors.at(key).shape == std::vector<std::int64_t>{1280, 4});
  for (const auto& [name, view] : lora.tensors) {
    CHECK(view.dtype == Dtype::f32);
    CHECK((name.ends_with(".lora.down.weight") || name.ends_with(".lora.up.weight")));
  }
  const TemporaryFolder folder;
  write_safetensors(folder / "lora.safetensors", lora.tensors, {.metadata = lora.metadata});
  const Artifact back = read_artifact(folder / "lora.safetensors", sdxl.names);
  REQUIRE(back.lora.has_value());
  CHECK(back.lora->entries.size() == 560);
  for (const LoraEntry& entry : back.lora->entries) {
    CHECK(entry.alpha == static_cast<double>(entry.rank));
    CHECK(at::equal(to_tensor(entry.down), sdxl.artifact.tensors.at(entry.module + ".lora_A.weight")));
    CHECK(at::equal(to_tensor(entry.up), sdxl.artifact.tensors.at(entry.module + ".lora_B.weight")));
  }
}

TEST_CASE("The authors' embeddings: a row for each encoder, without the token's name, and back", "[dco][files]") {
  const SdxlArtifact sdxl;
  const auto files = dco::published_files(sdxl.artifact);
  const auto& rows = files.at("learned_embeds.safetensors");
  REQUIRE(rows.tensors.size() == 2);
  CHECK(rows.tensors.at("clip_l").shape == std::vector<std::int64_t>{1, 768});
  CHECK(rows.tensors.at("clip_g").shape == std::vector<std::int64_t>{1, 1280});
  const TemporaryFolder folder;
  write_safetensors(folder / "learned_embeds.safetensors", rows.tensors, {.metadata = rows.metadata});
  const Artifact back = read_artifact(folder / "learned_embeds.safetensors", sdxl.names, "<dog>");
  REQUIRE(back.embeddings.size() == 1);
  CHECK(back.embeddings[0].token == "<dog>");
  CHECK(at::equal(to_tensor(back.embeddings[0].towers.at("text_encoder_2")).reshape(-1),
                  sdxl.artifact.tensors.at("text_encoder_2.token.<dco>")));
}

TEST_CASE("A folder of several tokens is read with a name for each row, or with all rows as one token's vectors",
          "[dco][files]") {
  const SdxlArtifact sdxl;
  const TemporaryFolder folder;
  const auto files = dco::published_files(sdxl.artifact);
  const auto& lora = files.at("pytorch_lora_weights.safetensors");
  write_safetensors(folder / "pytorch_lora_weights.safetensors", lora.tensors, {.metadata = lora.metadata});
  const Tensor first = random_tensor({2, 768}, 3), second = random_tensor({2, 1280}, 4);
  write_safetensors(folder / "learned_embeds.safetensors", {{"clip_l", to_view(first)}, {"clip_g", to_view(second)}},
                    {.metadata = {}});
  const ForeignFiles here(folder.path());
  const auto read = [&](const std::string& names) {
    return dco::read_published({.files = here, .target = sdxl.names, .placeholder = names})->tensors;
  };
  const auto two = read("<dog>+<hat>");
  CHECK(two.size() == 1120 + 4);
  CHECK(at::equal(two.at("text_encoder.token.<dog>"), first[0]));
  CHECK(at::equal(two.at("text_encoder_2.token.<hat>"), second[1]));
  for (const auto& [name, tensor] : sdxl.artifact.tensors) {
    if (name.find(".lora_") != std::string::npos) CHECK(at::equal(two.at(name), tensor));
  }
  const auto one = read("<dog>");
  CHECK(at::equal(one.at("text_encoder.token.<dog>_1"), first[1]));
  CHECK(at::equal(one.at("text_encoder_2.token.<dog>"), second[0]));
  CHECK_THROWS_WITH(read("<a>+<b>+<c>"), Catch::Contains("3 names") && Catch::Contains("2 with +"));
  CHECK_THROWS_WITH(read("<a>+"), Catch::Contains("--placeholder"));
  CHECK_THROWS_WITH(read(""), Catch::Contains("without a name"));
}

TEST_CASE("A style has no embeddings; on one text encoder the token's name is stored", "[dco][files]") {
  Run style(tiny_base("sd15"), dco::make_stage(style_settings()));
  CHECK(dco::published_files({published(*style.stage).tensors, {}}).size() == 1);
  Run subject(tiny_base("sd15"), dco::make_stage(subject_settings()));
  const auto files = dco::published_files({published(*subject.stage).tensors, {}});
  CHECK(files.at("learned_embeds.safetensors").tensors.contains("<dco>"));
}
