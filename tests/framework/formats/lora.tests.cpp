// Reference files and their expected content: make_lora_references.py.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/formats/cloneofsimo.h"
#include "framework/formats/kohya_names.h"
#include "framework/formats/lora_adapter_config.h"
#include "framework/formats/lora_values.h"
#include "tests/framework/formats/lora_reference.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

TensorView zeros(std::vector<std::int64_t> shape) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  return make_view(std::vector<double>(static_cast<std::size_t>(count)), std::move(shape), Dtype::f32);
}

constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";

/// A file with one layer of the tiny SD target, [16, 16] and rank 2.
TensorFile one_layer() {
  const auto stem = std::string("unet.") + kQuery;
  return {.path = "x.safetensors",
          .tensors = {{stem + ".lora_A.weight", zeros({2, 16})}, {stem + ".lora_B.weight", zeros({16, 2})}},
          .metadata = {}};
}

/// The UNet layers of Stable Diffusion 1.5 that transformer blocks hold, from the table of its blocks.
ModuleNames stable_diffusion() {
  struct Attentions {
    const char* block;
    int count;
    std::int64_t channels;
  };
  ModuleNames names;
  for (const auto& [block, count, c] : {Attentions{"down_blocks.0", 2, 320},
                                        {"down_blocks.1", 2, 640},
                                        {"down_blocks.2", 2, 1280},
                                        {"up_blocks.1", 3, 1280},
                                        {"up_blocks.2", 3, 640},
                                        {"up_blocks.3", 3, 320},
                                        {"mid_block", 1, 1280}}) {
    for (int i = 0; i < count; ++i) {
      const auto stem = std::string(block) + ".attentions." + std::to_string(i) + ".transformer_blocks.0.";
      const auto add = [&](const std::string& layer, std::int64_t out, std::int64_t in) {
        names.add("unet", stem + layer + ".weight", std::vector<std::int64_t>{out, in});
      };
      for (const auto* layer : {"to_q", "to_k", "to_v", "to_out.0"}) {
        const bool context = std::string(layer) == "to_k" || std::string(layer) == "to_v";
        add(std::string("attn1.") + layer, c, c);
        add(std::string("attn2.") + layer, c, context ? 768 : c);
      }
      add("ff.net.0.proj", 8 * c, c);
      add("ff.net.2", c, 4 * c);
    }
  }
  return names;
}

}  // namespace

TEST_CASE("LoRA files of every dialect give the layers, ranks, alphas and matrices that were written",
          "[formats][lora]") {
  const auto* name = GENERATE(
      "peft.safetensors", "scripts.safetensors", "processors.safetensors", "processors_unet_only.safetensors",
      "kohya_sd.safetensors", "kohya_sdxl.safetensors", "kohya_both.safetensors", "cloneofsimo_default.safetensors",
      "cloneofsimo_today.safetensors", "cloneofsimo_extended.safetensors", "textreg.safetensors");
  INFO(name);
  const auto& expected = lora_reference::expected().at("files").at(name);
  const auto target = lora_reference::target(expected.at("target").get<std::string>());
  const auto file = read_safetensors(lora_reference::path(name));
  const auto lora = read_lora(file, target);
  CHECK(lora.dialect == expected.at("dialect").get<std::string>());
  CHECK(lora.dialect == lora_dialect(file));
  CHECK(lora.ignored == expected.value("ignored", std::vector<std::string>{}));
  lora_reference::check(lora.entries, target, expected.at("entries"));
}

TEST_CASE("A PEFT folder gives its layers with the scale of its config", "[formats][lora]") {
  const auto* component = GENERATE("unet", "text_encoder");
  const auto folder = lora_reference::path("peft_folder") / component;
  const auto& expected = lora_reference::expected().at("files").at(std::string("peft_folder/") + component);
  const auto target = lora_reference::target("sd");
  const auto file = read_safetensors(folder / "adapter_model.safetensors");
  const auto lora = read_peft_lora(file, read_json_file(folder / "adapter_config.json"), target);
  lora_reference::check(lora.entries, target, expected.at("entries"));
  CHECK_THROWS_WITH(read_lora(file, target), Contains("adapter_config.json"));
}

TEST_CASE("A LoRA without a component goes to the text encoder of its width", "[formats][lora]") {
  ModuleNames target;
  const std::string layer = "text_model.encoder.layers.0.mlp.fc1";
  target.add("text_encoder", layer + ".weight", std::vector<std::int64_t>{16, 8});
  target.add("text_encoder_2", layer + ".weight", std::vector<std::int64_t>{24, 12});
  const auto file = [&](std::int64_t out, std::int64_t in) {
    return TensorFile{.path = "x",
                      .tensors = {{"base_model.model.encoder.layers.0.mlp.fc1.lora_A.weight", zeros({2, in})},
                                  {"base_model.model.encoder.layers.0.mlp.fc1.lora_B.weight", zeros({out, 2})}},
                      .metadata = {}};
  };
  const Json config = {{"peft_type", "LORA"}, {"r", 2}, {"lora_alpha", 2}};
  CHECK(read_peft_lora(file(24, 12), config, target).entries.at(0).module == "text_encoder_2." + layer);
  CHECK(read_peft_lora(file(16, 8), config, target).entries.at(0).module == "text_encoder." + layer);
  CHECK_THROWS_WITH(read_peft_lora(file(16, 9), config, target), Contains("fc1"));

  target.add("text_encoder_2", layer + ".weight", std::vector<std::int64_t>{16, 8});
  CHECK_THROWS_WITH(read_peft_lora(file(16, 8), config, target), Contains("text_encoder and text_encoder_2"));
  CHECK(read_peft_lora(file(16, 8), config, target, "text_encoder_2").entries.at(0).module ==
        "text_encoder_2." + layer);
}

TEST_CASE("Adapters that are no plain LoRA are refused by name", "[formats][lora]") {
  const auto [file, kind] = GENERATE(table<const char*, const char*>(
      {{"dora_peft", "DoRA"}, {"dora_kohya", "DoRA"}, {"tucker", "Tucker"}, {"loha", "LoHa"}, {"lokr", "LoKr"}}));
  const auto name = std::string("refused/") + file + ".safetensors";
  const auto tensors = read_safetensors(lora_reference::path(name));
  CHECK_THROWS_WITH(read_lora(tensors, lora_reference::target("sd")), Contains(kind) && Contains(name));
  CHECK_FALSE(lora_dialect(tensors).empty());
}

TEST_CASE("Keys that name no layer are listed, twenty of them", "[formats][lora]") {
  auto file = one_layer();
  for (int i = 0; i < 30; ++i)
    file.tensors.emplace("unet.nowhere." + std::to_string(i) + ".lora_A.weight", zeros({2, 2}));
  const auto target = lora_reference::target("sd");
  CHECK_THROWS_WITH(read_lora(file, target), Contains("x.safetensors") && Contains("30 keys") &&
                                                 Contains("\"unet.nowhere.0.lora_A.weight\"") && Contains("10 more"));
  file = one_layer();
  file.tensors.emplace("unet.conv_in.bias", zeros({8}));
  CHECK_THROWS_WITH(read_lora(file, target), Contains("1 key") && Contains("unet.conv_in.bias"));
}

TEST_CASE("A layer with one half, a wrong shape or two sources is an error that names the key", "[formats][lora]") {
  const auto target = lora_reference::target("sd");
  const auto down = std::string("unet.") + kQuery + ".lora_A.weight";
  const auto up = std::string("unet.") + kQuery + ".lora_B.weight";
  auto file = one_layer();
  file.tensors.erase(up);
  CHECK_THROWS_WITH(read_lora(file, target), Contains(down) && Contains("without its up"));

  file = one_layer();
  file.tensors[up] = zeros({16, 3});
  CHECK_THROWS_WITH(read_lora(file, target), Contains(up) && Contains("[16, 2]"));
  file.tensors[up] = zeros({8, 2});
  CHECK_THROWS_WITH(read_lora(file, target), Contains(up));
  file.tensors[down] = zeros({});
  CHECK_THROWS_WITH(read_lora(file, target), Contains(down));
  file.tensors[down] = zeros({0, 16});
  CHECK_THROWS_WITH(read_lora(file, target), Contains(down));

  file = one_layer();
  file.tensors.emplace(std::string("unet.") + kQuery + ".lora.down.weight", zeros({2, 16}));
  CHECK_THROWS_WITH(read_lora(file, target), Contains("same part of the same layer"));

  file = one_layer();
  file.tensors[down].dtype = Dtype::i32;
  CHECK_THROWS_WITH(read_lora(file, target), Contains(down) && Contains("floating"));
}

TEST_CASE("Alpha 0 and a missing alpha are the rank, others must be finite numbers", "[formats][lora]") {
  const auto target = lora_reference::target("sd");
  const auto alpha = std::string("unet.") + kQuery + ".alpha";
  auto file = one_layer();
  CHECK(read_lora(file, target).entries.at(0).alpha == 2.0);
  file.tensors[alpha] = make_view({0.0}, {}, Dtype::bf16);
  CHECK(read_lora(file, target).entries.at(0).alpha == 2.0);
  file.tensors[alpha] = make_view({0.5}, {1}, Dtype::f16);
  CHECK(read_lora(file, target).entries.at(0).alpha == 0.5);
  file.tensors[alpha] = make_view({std::numeric_limits<double>::infinity()}, {}, Dtype::f32);
  CHECK_THROWS_WITH(read_lora(file, target), Contains(alpha) && Contains("finite"));
  file.tensors[alpha] = make_view({1.0, 1.0}, {2}, Dtype::f32);
  CHECK_THROWS_WITH(read_lora(file, target), Contains(alpha) && Contains("single number"));
}

TEST_CASE("The metadata's rank and variants are held against the tensors", "[formats][lora]") {
  const auto target = lora_reference::target("sd");
  auto file = one_layer();
  const auto read = [&](const char* metadata) {
    file.metadata["lora_adapter_metadata"] = metadata;
    return read_lora(file, target).entries.at(0).alpha;
  };
  CHECK(read(R"({"unet.r": 2, "unet.lora_alpha": 6})") == 6.0);
  CHECK(
      read(
          R"({"unet.r": 4, "unet.lora_alpha": 6, "unet.rank_pattern": {"^mid_block.attentions.0.transformer_blocks.0.attn1.to_q": 2}})") ==
      6.0);
  CHECK(read(R"({"unet.r": 2, "unet.lora_alpha": 6, "unet.alpha_pattern": {"attn1.to_q": 3, "to_k": 9}})") == 3.0);
  CHECK(read(R"({"text_encoder.r": 7})") == 2.0);
  CHECK(read(R"({"unet.r": 2, "unet.lora_alpha": 4, "unet.use_rslora": true})") == Approx(4.0 * std::sqrt(2.0)));
  CHECK_THROWS_WITH(read(R"({"unet.r": 4, "unet.lora_alpha": 6})"), Contains("rank 4"));
  CHECK_THROWS_WITH(read(R"({"unet.r": 2, "unet.use_dora": true})"), Contains("DoRA"));
  CHECK_THROWS_WITH(read(R"({"unet.r": 2, "unet.alpha_pattern": {"(a+)+$": 2}})"), Contains("regular expression"));
  CHECK_THROWS_WITH(read(R"({"unet.r": "two"})"), Contains("unet.r"));
  CHECK_THROWS_WITH(read("{"), Contains("lora_adapter_metadata"));
}

TEST_CASE("kohya's name of every layer leads back to the layer", "[formats][lora][kohya]") {
  const auto target = lora_reference::target("sdxl");
  const KohyaNames names(target);
  const auto sgm = sgm_names(target.components().at("unet"));
  std::set<std::string> seen;
  for (const auto& [component, modules] : target.components()) {
    for (const auto& [path, shape] : modules) {
      for (const auto* map : {static_cast<const NameMap*>(nullptr), &sgm}) {
        const auto name = kohya_name(component, path, map, true);
        const auto* module = names.find(name);
        REQUIRE(module != nullptr);
        CHECK(module->component == component);
        CHECK(module->path == path);
        if (map != nullptr) CHECK(seen.insert(name).second);
      }
    }
  }
  CHECK(kohya_name("unet", "down_blocks.1.attentions.0.proj_in", &sgm, true) == "lora_unet_input_blocks_4_1_proj_in");
  CHECK(names.find("lora_te_text_model_encoder_layers_0_mlp_fc1")->component == "text_encoder");
  CHECK(names.find("lora_unet_nothing") == nullptr);
}

TEST_CASE("A walk numbers layers in PyTorch's order of registration", "[formats][lora][cloneofsimo]") {
  const auto target = lora_reference::target("sd");
  const ClassNames all = {"Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"};
  std::vector<std::string> expected;
  for (const auto& path : lora_reference::expected().at("walk")) {
    const auto name = path.get<std::string>();
    if (name.find("_blocks.") != std::string::npos || name.starts_with("mid_block.")) expected.push_back(name);
  }
  CHECK(walk_layers(target.components().at("unet"), all, {}) == expected);
}

TEST_CASE("Stable Diffusion 1.5 has 144 default layers and 32 for TextReg, the mid block's last",
          "[formats][lora][cloneofsimo]") {
  const auto target = stable_diffusion();
  const auto& unet = target.components().at("unet");
  const auto walked = walk_layers(unet, default_classes("unet"), {.feed_forward_first = true, .layers = ""});
  REQUIRE(walked.size() == 144);
  CHECK(walked[4] == "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj");
  CHECK(walked[5] == "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q");
  const auto cross = walk_layers(unet, {"BasicTransformerBlock"}, {.feed_forward_first = true, .layers = "cross"});
  REQUIRE(cross.size() == 32);
  CHECK(cross[10] == "down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_k");
  CHECK(cross[12] == "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k");
  CHECK(cross[31] == "mid_block.attentions.0.transformer_blocks.0.attn2.to_v");
  const auto size = [&](const char* layers) {
    return walk_layers(unet, {"BasicTransformerBlock"}, {.feed_forward_first = true, .layers = layers}).size();
  };
  CHECK(size("self") == 32);
  CHECK(size("cross+self") == 64);
  CHECK(size("full") == 160);
}

TEST_CASE("A cloneofsimo file that fits no walk, lacks an index or states another rank is refused",
          "[formats][lora][cloneofsimo]") {
  const auto target = lora_reference::target("sd");
  const auto whole = read_safetensors(lora_reference::path("textreg.safetensors"));
  auto file = whole;
  file.tensors.erase("unet:3:up");
  CHECK_THROWS_WITH(read_lora(file, target), Contains("unet:3:up"));
  file.tensors.erase("unet:3:down");
  CHECK_THROWS_WITH(read_lora(file, target), Contains("unet:3:down"));
  file = whole;
  file.metadata["unet:3:rank"] = "4";
  CHECK_THROWS_WITH(read_lora(file, target), Contains("unet:3:rank"));
  file = whole;
  file.metadata["unet"] = "[\"CrossAttention\"]";
  CHECK_THROWS_WITH(read_lora(file, target), Contains("8 pairs") && Contains("32 pairs"));
  file.metadata["unet"] = "7";
  CHECK_THROWS_WITH(read_lora(file, target), Contains("class names"));
  file = whole;
  file.tensors.emplace("unet:999999999999:up", zeros({1, 1}));
  CHECK_THROWS_WITH(read_lora(file, target), Contains("unet:999999999999:up"));
  file = whole;
  file.metadata.erase("<krk1>");
  CHECK_THROWS_WITH(read_lora(file, target), Contains("<krk1>"));
}
