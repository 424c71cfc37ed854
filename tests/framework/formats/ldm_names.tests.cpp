#include "framework/formats/ldm_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/formats/known_configs.h"

using namespace atelier;

namespace {

using Names = std::vector<std::string>;

// Written by make_single_files.py from diffusers' models and converters.
const Json& key_lists() {
  static const Json json =
      read_json_file(std::string(ATELIER_SOURCE_DIR) + "/tests/framework/formats/data/key_lists.json");
  return json;
}

std::string digest_of(Names names) {
  std::sort(names.begin(), names.end());
  std::string text;
  for (const auto& name : names) text += name + "\n";
  return sha256_hex(text);
}

class Lister {
 public:
  void both(const std::string& module) {
    names.push_back(module + ".weight");
    names.push_back(module + ".bias");
  }
  void resnet(const std::string& prefix, bool shortcut, bool timed) {
    for (const auto* leaf : {"norm1", "conv1", "norm2", "conv2"}) both(prefix + "." + leaf);
    if (timed) both(prefix + ".time_emb_proj");
    if (shortcut) both(prefix + ".conv_shortcut");
  }
  void transformer(const std::string& prefix, int depth) {
    for (const auto* leaf : {"norm", "proj_in", "proj_out"}) both(prefix + "." + leaf);
    for (int k = 0; k < depth; ++k) {
      const auto block = fmt::format("{}.transformer_blocks.{}", prefix, k);
      for (const auto* leaf :
           {"norm1", "norm2", "norm3", "attn1.to_out.0", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2"}) {
        both(block + "." + leaf);
      }
      for (const auto* attn : {"attn1", "attn2"}) {
        for (const auto* leaf : {"to_q", "to_k", "to_v"})
          names.push_back(fmt::format("{}.{}.{}.weight", block, attn, leaf));
      }
    }
  }
  Names names;
};

// The state dict of UNet2DConditionModel: formats.md 6. depths[i]: transformer blocks of level i, 0 without attention.
Names unet_list(const std::vector<int>& channels, const std::vector<int>& depths, int mid_depth, bool sdxl) {
  Lister list;
  for (const auto* module :
       {"conv_in", "time_embedding.linear_1", "time_embedding.linear_2", "conv_norm_out", "conv_out"}) {
    list.both(module);
  }
  if (sdxl) list.both("add_embedding.linear_1"), list.both("add_embedding.linear_2");
  const auto levels = channels.size();
  for (std::size_t i = 0; i < levels; ++i) {
    for (int j = 0; j < 2; ++j) {
      const bool widens = j == 0 && i > 0 && channels[i] != channels[i - 1];
      list.resnet(fmt::format("down_blocks.{}.resnets.{}", i, j), widens, true);
      if (depths[i] > 0) list.transformer(fmt::format("down_blocks.{}.attentions.{}", i, j), depths[i]);
    }
    if (i + 1 < levels) list.both(fmt::format("down_blocks.{}.downsamplers.0.conv", i));
    const auto level = levels - 1 - i;
    for (int j = 0; j < 3; ++j) {
      list.resnet(fmt::format("up_blocks.{}.resnets.{}", i, j), true, true);
      if (depths[level] > 0) list.transformer(fmt::format("up_blocks.{}.attentions.{}", i, j), depths[level]);
    }
    if (i + 1 < levels) list.both(fmt::format("up_blocks.{}.upsamplers.0.conv", i));
  }
  list.resnet("mid_block.resnets.0", false, true);
  list.resnet("mid_block.resnets.1", false, true);
  list.transformer("mid_block.attentions.0", mid_depth);
  return list.names;
}

Names vae_list() {
  Lister list;
  list.both("quant_conv"), list.both("post_quant_conv");
  for (const std::string half : {"encoder", "decoder"}) {
    for (const auto* module : {".conv_in", ".conv_norm_out", ".conv_out"}) list.both(half + module);
    for (const auto* layer : {"group_norm", "to_q", "to_k", "to_v", "to_out.0"}) {
      list.both(fmt::format("{}.mid_block.attentions.0.{}", half, layer));
    }
    list.resnet(half + ".mid_block.resnets.0", false, false);
    list.resnet(half + ".mid_block.resnets.1", false, false);
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 2; ++j)
      list.resnet(fmt::format("encoder.down_blocks.{}.resnets.{}", i, j), j == 0 && (i == 1 || i == 2), false);
    for (int j = 0; j < 3; ++j)
      list.resnet(fmt::format("decoder.up_blocks.{}.resnets.{}", i, j), j == 0 && i >= 2, false);
    if (i == 3) continue;
    list.both(fmt::format("encoder.down_blocks.{}.downsamplers.0.conv", i));
    list.both(fmt::format("decoder.up_blocks.{}.upsamplers.0.conv", i));
  }
  return list.names;
}

Names text_list(int layers, bool projection) {
  Lister list;
  list.names = {"text_model.embeddings.token_embedding.weight", "text_model.embeddings.position_embedding.weight"};
  list.both("text_model.final_layer_norm");
  for (int i = 0; i < layers; ++i) {
    for (const auto* module : {"layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2", "self_attn.q_proj",
                               "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"}) {
      list.both(fmt::format("text_model.encoder.layers.{}.{}", i, module));
    }
  }
  if (projection) list.names.push_back("text_projection.weight");
  return list.names;
}

void check_against(const Json& reference, const Names& diffusers, const NameMap& map) {
  REQUIRE(diffusers.size() == reference.at("count").get<std::size_t>());
  REQUIRE(digest_of(diffusers) == reference.at("diffusers").get<std::string>());
  Names ldm;
  Names pairs;
  for (const auto& name : diffusers) {
    const auto old_name = map.to_ldm(name);
    REQUIRE(old_name);
    REQUIRE(map.to_diffusers(*old_name) == name);
    ldm.push_back(*old_name);
    pairs.push_back(*old_name + " " + name);
  }
  CHECK(std::set<std::string>(ldm.begin(), ldm.end()).size() == ldm.size());
  CHECK(digest_of(ldm) == reference.at("ldm").get<std::string>());
  CHECK(digest_of(pairs) == reference.at("pairs").get<std::string>());
  for (const auto& [old_name, name] : reference.at("sample").items()) {
    CHECK(map.to_diffusers(old_name) == name.get<std::string>());
  }
}

NameMap published_unet(Family family) { return unet_names(known_configs(family, true).at("unet"), "known"); }

}  // namespace

TEST_CASE("UNet names map one to one and as diffusers maps them", "[formats][ldm_names]") {
  check_against(key_lists().at("unet_sd15"), unet_list({320, 640, 1280, 1280}, {1, 1, 1, 0}, 1, false),
                published_unet(Family::sd1));
  check_against(key_lists().at("unet_sd21"), unet_list({320, 640, 1280, 1280}, {1, 1, 1, 0}, 1, false),
                published_unet(Family::sd2));
  check_against(key_lists().at("unet_sdxl"), unet_list({320, 640, 1280}, {0, 2, 10}, 10, true),
                published_unet(Family::sdxl));
}

TEST_CASE("VAE names map one to one and as diffusers maps them", "[formats][ldm_names]") {
  check_against(key_lists().at("vae"), vae_list(), vae_names(known_configs(Family::sd1, true).at("vae"), "known"));
}

TEST_CASE("OpenCLIP names map one to one", "[formats][ldm_names]") {
  // Counts of formats.md 6: CLIP-L, OpenCLIP-H with 23 layers, OpenCLIP-bigG with projection.
  CHECK(text_list(12, false).size() == 196);
  CHECK(text_list(23, false).size() == 372);
  const auto names = text_list(32, true);
  REQUIRE(names.size() == 517);
  std::set<std::pair<std::string, int>> seen;
  for (const auto& name : names) {
    const auto old_name = open_clip_name(name);
    REQUIRE(old_name);
    CHECK(seen.emplace(old_name->name, old_name->third).second);
    CHECK(transformers_name(old_name->name, old_name->third) == name);
    CHECK(is_in_proj(old_name->name) == (old_name->third >= 0));
  }
  CHECK(open_clip_name("text_model.encoder.layers.3.self_attn.k_proj.bias") ==
        OpenClipName{"transformer.resblocks.3.attn.in_proj_bias", 1, false});
  CHECK(open_clip_name("text_projection.weight") == OpenClipName{"text_projection", -1, true});
  CHECK(transformers_name("transformer.resblocks.9.mlp.c_proj.bias", -1) == "text_model.encoder.layers.9.mlp.fc2.bias");
}

TEST_CASE("names that belong to no layer have no counterpart", "[formats][ldm_names]") {
  const auto unet = published_unet(Family::sd1);
  for (const auto* name :
       {"input_blocks.12.0.in_layers.0.weight", "input_blocks.3.1.norm.weight", "input_blocks.1.0.op.weight",
        "output_blocks.12.0.in_layers.0.weight", "middle_block.3.in_layers.0.weight", "", ".", "..", "out.1.weight",
        "input_blocks", "input_blocks.1.0.in_layers.1.weight", "xinput_blocks.0.0.weight"}) {
    INFO(name);
    CHECK_FALSE(unet.to_diffusers(name));
  }
  CHECK_FALSE(transformers_name("transformer.resblocks..ln_1.weight", -1));
  CHECK_FALSE(transformers_name("transformer.resblocks.1", -1));
  CHECK_FALSE(transformers_name("transformer.resblocks.1.attn.in_proj_weight", 3));
  CHECK_FALSE(open_clip_name("text_model.encoder.layers.x.mlp.fc1.weight"));
}

TEST_CASE("layers per block may differ from block to block", "[formats][ldm_names]") {
  auto config = known_configs(Family::sd1, true).at("unet");
  config["layers_per_block"] = {1, 3, 2, 1};
  const auto names = unet_names(config, "config");
  // conv_in; 1 + down; 3 + down; so block 2 begins at 1 + 2 + 4 = 7.
  CHECK(names.to_diffusers("input_blocks.7.0.in_layers.0.weight") == "down_blocks.2.resnets.0.norm1.weight");
  // Up blocks run the other way: 1 + 1, 2 + 1, 3 + 1, 1 + 1 layers.
  CHECK(names.to_diffusers("output_blocks.5.0.in_layers.0.weight") == "up_blocks.2.resnets.0.norm1.weight");
  CHECK(names.to_diffusers("output_blocks.8.2.conv.bias") == "up_blocks.2.upsamplers.0.conv.bias");
  for (const Json& bad : {Json(0), Json(65), Json("2"), Json({1, 2}), Json(nullptr), Json(-1), Json(1e9)}) {
    config["layers_per_block"] = bad;
    CHECK_THROWS_WITH(unet_names(config, "config"), Catch::Contains("config: layers_per_block"));
  }
  config["layers_per_block"] = 2;
  config["up_block_types"] = {"UpBlock2D"};
  CHECK_THROWS_WITH(unet_names(config, "config"), Catch::Contains("up_block_types"));
  config["down_block_types"] = "DownBlock2D";
  CHECK_THROWS_WITH(unet_names(config, "config"), Catch::Contains("down_block_types"));
}

TEST_CASE("the attention of old VAE files gets its present names", "[formats][ldm_names]") {
  const std::string prefix = "decoder.mid_block.attentions.0.";
  CHECK(modern_vae_name(prefix + "query.weight") == prefix + "to_q.weight");
  CHECK(modern_vae_name(prefix + "key.bias") == prefix + "to_k.bias");
  CHECK(modern_vae_name(prefix + "value.weight") == prefix + "to_v.weight");
  CHECK(modern_vae_name(prefix + "proj_attn.bias") == prefix + "to_out.0.bias");
  CHECK(modern_vae_name(prefix + "to_q.weight") == prefix + "to_q.weight");
  CHECK(modern_vae_name("encoder.conv_in.weight") == "encoder.conv_in.weight");
  CHECK(modern_vae_name("encoder.mid_block.attentions.") == "encoder.mid_block.attentions.");
}

TEST_CASE("averaged weights are named without dots", "[formats][ldm_names]") {
  CHECK(ema_name("input_blocks.0.0.weight") == "model_ema.diffusion_modelinput_blocks00weight");
}
