// Encoders in the layouts of their authors against open_clip and timm (reference_layouts.py).
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/encoder_source.h"
#include "tests/eval/encoder_reference.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

namespace fs = std::filesystem;
const fs::path kLayouts = eval_folder() / "models/layouts";

using Positions = PositionInterpolation;

void check_clip(const fs::path& path, const std::string& name) {
  const FeatureReference reference("layouts");
  const auto encoder = open_on_cpu(path);
  INFO(path);
  CHECK(encoder->image_size() == 32);
  CHECK(unit_error(encoder->image_features(reference["pixel_values.32"]), reference[name + ".images"]) < 1e-6);
  REQUIRE(reference.texts.size() == 3);
  for (std::size_t i = 0; i < reference.texts.size(); ++i) {
    const Tensor expected = reference[name + ".texts"][static_cast<std::int64_t>(i)];
    CHECK(unit_error(encoder->text_features(reference.texts[i].get<std::string>()), expected) < 1e-6);
  }
}

/// A folder with links to all files of another, so that one can be replaced.
void link_all(const fs::path& from, const TemporaryFolder& to) {
  for (const auto& entry : fs::directory_iterator(from)) {
    if (entry.is_regular_file()) fs::create_symlink(entry.path(), to / entry.path().filename().string());
  }
}

Json open_clip_config() { return read_json_file(kLayouts / "open_clip/open_clip_config.json"); }

void write(const fs::path& path, const Json& json) {
  fs::remove(path);
  std::ofstream(path) << json;
}

}  // namespace

TEST_CASE("CLIP in OpenAI's names agrees with open_clip: heads of 64, quick_gelu, read at the largest id",
          "[eval][layouts]") {
  check_clip(kLayouts / "openai", "openai");
  check_clip(kLayouts / "openai/model.pt", "openai");
  const auto source = read_encoder(kLayouts / "openai/model.pt", {.variant = {}, .allow_pickle = true});
  CHECK(source.config.at("vision_config").at("num_attention_heads") == 2);
  CHECK(source.config.at("text_config").at("hidden_act") == "quick_gelu");
}

TEST_CASE("CLIP in OpenCLIP's layout agrees with open_clip: heads and gelu of its config", "[eval][layouts]") {
  check_clip(kLayouts / "open_clip", "open_clip");
  const TemporaryFolder folder;  // the pickle, whose text half is apart
  link_all(kLayouts / "open_clip", folder);
  fs::remove(folder / "open_clip_model.safetensors");
  check_clip(folder.path(), "open_clip");
  CHECK_THROWS_WITH(read_encoder(folder.path()), Catch::Contains("--allow-pickle"));
}

TEST_CASE("The two activations of OpenCLIP differ", "[eval][layouts]") {
  const TemporaryFolder folder;
  link_all(kLayouts / "open_clip", folder);
  Json config = open_clip_config();
  config["model_cfg"]["quick_gelu"] = true;
  write(folder / "open_clip_config.json", config);
  const FeatureReference reference("layouts");
  const Tensor found = open_on_cpu(folder.path())->image_features(reference["pixel_values.32"]);
  CHECK(unit_error(found, reference["open_clip.images"]) > 1e-4);
}

TEST_CASE("DINO in its authors' names agrees with timm at eps 1e-6", "[eval][layouts]") {
  const FeatureReference reference("layouts");
  CHECK(unit_error(open_on_cpu(kLayouts / "dino.pth")->image_features(reference["pixel_values.32"]),
                   reference["dino"]) < 1e-6);
}

TEST_CASE("DINOv2 in its authors' names agrees with timm in both position modes", "[eval][layouts]") {
  const FeatureReference reference("layouts");
  const auto features = [&](const char* size, Positions positions) {
    return open_on_cpu(kLayouts / "dinov2.safetensors", positions)->image_features(reference[size]);
  };
  const Tensor offset = features("pixel_values.28", Positions::offset),
               size = features("pixel_values.28", Positions::size);
  CHECK(unit_error(offset, reference["dinov2.offset"]) < 1e-6);
  CHECK(unit_error(size, reference["dinov2.size"]) < 1e-6);
  CHECK(unit_error(offset, size) > 1e-4);
  CHECK(unit_error(features("pixel_values.63", Positions::offset), reference["dinov2.own"]) < 1e-6);
}

TEST_CASE("Pictures encoded together are, to the bit, what each is alone", "[eval][layouts]") {
  const auto check = [](const fs::path& path, std::int64_t side) {
    INFO(path);
    const auto encoder = open_on_cpu(path);
    const Tensor pixels = at::rand({5, 3, side, side});
    const Tensor each = encoder->image_features_each(pixels);
    REQUIRE(each.size(0) == 5);
    for (std::int64_t i = 0; i < 5; ++i) {
      CHECK(at::equal(each.narrow(0, i, 1), encoder->image_features(pixels.narrow(0, i, 1))));
    }
  };
  check(kLayouts / "openai", 32);
  check(kLayouts / "open_clip", 32);
  check(kLayouts / "dino.pth", 32);
  check(kLayouts / "dinov2.safetensors", 28);
  check(eval_folder() / "models/siglip_tiny", 32);
}

TEST_CASE("A variant of OpenCLIP that is not built is refused by its key", "[eval][layouts]") {
  const TemporaryFolder folder;
  link_all(kLayouts / "open_clip", folder);
  const auto refused = [&](const char* tower, const char* key, const Json& value, const std::string& part) {
    Json config = open_clip_config();
    config["model_cfg"][tower][key] = value;
    write(folder / "open_clip_config.json", config);
    CHECK_THROWS_WITH(open_on_cpu(folder.path()), Catch::Contains(part));
  };
  refused("vision_cfg", "timm_model_name", "vit_base_patch16_siglip_224", "vision_cfg.timm_model_name");
  refused("vision_cfg", "attentional_pool", true, "vision_cfg.attentional_pool");
  refused("text_cfg", "hf_model_name", "roberta-base", "text_cfg.hf_model_name");
  refused("text_cfg", "pool_type", "last", "text_cfg.pool_type: \"last\"");
  refused("vision_cfg", "head_width", -1, "head_width: -1");
  refused("vision_cfg", "layers", 3, "encoder.layers.2");
}

TEST_CASE("A file with one renamed tensor is refused by that name", "[eval][layouts]") {
  const TemporaryFolder folder;
  const auto renamed = [&](const std::string& from, const std::string& to, const std::string& part) {
    TensorFile file = read_safetensors(kLayouts / "dinov2.safetensors");
    auto node = file.tensors.extract(from);
    REQUIRE(!node.empty());
    node.key() = to;
    file.tensors.insert(std::move(node));
    write_safetensors(folder / "x.safetensors", file.tensors);
    CHECK_THROWS_WITH(open_on_cpu(folder / "x.safetensors"), Catch::Contains(part));
  };
  renamed("blocks.0.norm2.bias", "blocks.0.norm2.bios", "1 unexpected: encoder.layer.0.norm2.bios");
  renamed("blocks.0.attn.qkv.bias", "blocks.0.attn.qvk.bias", "blocks.0.attn.qvk.bias");
  renamed("norm.weight", "normal.weight", "normal.weight");
  renamed("cls_token", "class_token", "such as blocks.0.attn.proj.bias");
}

TEST_CASE("Folders that hold no encoder say what they lack", "[eval][layouts]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(open_on_cpu(folder.path()),
                    Catch::Contains("no config.json, no open_clip_config.json and no weights"));
  CHECK_THROWS_WITH(open_on_cpu(folder / "none"), Catch::Contains("no such file or folder"));
  CHECK_THROWS_WITH(open_on_cpu(kLayouts), Catch::Contains("2 weight files"));
  CHECK_THROWS_WITH(read_encoder(kLayouts / "dino.pth"), Catch::Contains("pickle"));
}

TEST_CASE("What an encoder's digest covers: weights, configs and tokenizer", "[eval][layouts]") {
  const auto names = [](const fs::path& path) {
    std::vector<std::string> found;
    for (const auto& file : encoder_files(path, {.variant = {}, .allow_pickle = true})) {
      found.push_back(file.lexically_relative(fs::is_directory(path) ? path : path.parent_path()).string());
    }
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(names(kLayouts / "openai") ==
        Names{"model.pt", "tokenizer/merges.txt", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json"});
  CHECK(names(kLayouts / "open_clip") == Names{"merges.txt", "open_clip_config.json", "open_clip_model.safetensors",
                                               "tokenizer_config.json", "vocab.json"});
  CHECK(names(kLayouts / "dino.pth") == Names{"dino.pth"});
  CHECK(names(eval_folder() / "models/siglip_tiny") ==
        Names{"config.json", "model.safetensors", "spiece.model", "tokenizer_config.json"});
}
