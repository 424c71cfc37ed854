// Damaged or missing JSON and tokenizer files of a pipeline.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/e2e/damage.h"
#include "tests/e2e/refusal.h"

namespace {

namespace fs = std::filesystem;
using atelier::Json;

struct Component {
  std::string name;    // of `probe component`
  std::string folder;  // in the pipeline
  std::string inputs;
};

const Component kUNet{.name = "unet", .folder = "unet", .inputs = "unet_10x14"};
const Component kText{.name = "text_encoder", .folder = "text_encoder", .inputs = "text_encoder_ids"};
const Component kDecoder{.name = "vae_decoder", .folder = "vae", .inputs = "vae_decoder_4x6"};

/// One key of config.json set to a value that cannot be: the line names the file, the key and what is expected.
void check_key(const Component& component, const std::string& key, const Json& value, const std::string& expected) {
  CAPTURE(key, value.dump());
  const Workplace place;
  const fs::path model = place.copy_model();
  const fs::path config = model / component.folder / "config.json";
  set_config(config, key, value);
  place.check_component_refused(component.name, model, component.inputs, {},
                                {config.string() + ": " + key, "expected " + expected});
}

void check_config(const std::string& text, const std::vector<std::string>& mentions) {
  const Workplace place;
  const fs::path model = place.copy_model();
  write_bytes(model / "unet/config.json", text);
  std::vector<std::string> all{(model / "unet/config.json").string()};
  all.insert(all.end(), mentions.begin(), mentions.end());
  place.check_component_refused("unet", model, "unet_10x14", {}, all);
}

/// `sample` with a pipeline that lacks one file or folder.
void check_without(const std::string& path, const std::vector<std::string>& mentions) {
  const Workplace place;
  const fs::path model = place.copy_model();
  REQUIRE(fs::remove_all(model / path) > 0);
  place.check_refused(
      1, {"sample", "--model", model, "--prompt", "a cat", "--steps", "1", "--out", place.output("out")}, mentions);
}

}  // namespace

TEST_CASE("A value of the wrong type is reported with its config.json and key", "[e2e][configs]") {
  check_key(kUNet, "in_channels", "four", "an integer");
  check_key(kUNet, "block_out_channels", Json{8, "x"}, "an integer or a list of 4 positive integers");
  check_key(kText, "hidden_size", Json::array(), "an integer");
  check_key(kDecoder, "scaling_factor", "small", "a number");
}

TEST_CASE("A value that no model can have is refused before memory is asked for", "[e2e][configs]") {
  check_key(kUNet, "layers_per_block", 1'000'000'000, "integers from 1 to 100");
  check_key(kUNet, "layers_per_block", 0, "integers from 1 to 100");
  check_key(kUNet, "attention_head_dim", 0, "a divisor of the 8 channels");
  check_key(kUNet, "norm_num_groups", 0, "a divisor of every number of channels");
  check_key(kUNet, "sample_size", 1'000'000'000, "an integer from 1 to 8192");
  check_key(kText, "num_hidden_layers", 1'000'000'000, "an integer from 1 to 1000");
  check_key(kText, "num_attention_heads", 5, "a divisor of the width 32");
  check_key(kDecoder, "layers_per_block", 1'000'000'000, "an integer from 1 to 100");
}

TEST_CASE("An unknown activation is refused with the known ones", "[e2e][configs]") {
  check_key(kText, "hidden_act", "softplus", "silu, gelu");
  check_key(kUNet, "act_fn", "softplus", "silu, gelu");
}

TEST_CASE("Broken JSON is reported with the byte", "[e2e][configs]") {
  check_config("{\"in_channels\": 4,\n", {"not JSON at byte 20", "expected a JSON text in UTF-8"});
  check_config("", {"not JSON at byte 1", "expected a JSON text in UTF-8"});
  check_config("[]", {"no object", "expected the configuration of a model"});
}

TEST_CASE("JSON nested too deep is refused, not a crash", "[e2e][configs]") {
  check_config(std::string(1'000'000, '['), {"expected"});
}

TEST_CASE("A missing config.json is named", "[e2e][configs]") {
  const Workplace place;
  const fs::path model = place.copy_model();
  fs::remove(model / "unet/config.json");
  place.check_component_refused(
      "unet", model, "unet_10x14", {},
      {(model / "unet/config.json").string(), "no such file", "expected the configuration of a model"});
}

TEST_CASE("A pipeline without a tokenizer file says which are wanted, and leaves no folder", "[e2e][configs]") {
  check_without("tokenizer/vocab.json", {"sd15/tokenizer", "vocab.json with merges.txt", "copy the tokenizer folder"});
  check_without("tokenizer/merges.txt", {"sd15/tokenizer", "vocab.json with merges.txt", "copy the tokenizer folder"});
  check_without("tokenizer", {"sd15/tokenizer", "no such folder", "expected the files of the tokenizer"});
}

TEST_CASE("A folder without model_index.json is no pipeline", "[e2e][configs]") {
  check_without("model_index.json", {"sd15/model_index.json", "no such file", "expected the index of a pipeline"});
}

TEST_CASE("A pipeline that lost weights is refused before a picture folder is made", "[e2e][configs]") {
  check_without("unet/diffusion_pytorch_model.safetensors", {"sd15/unet", "no weight file"});
  check_without("vae/diffusion_pytorch_model.safetensors", {"sd15/vae", "no weight file"});
  check_without("text_encoder/model.safetensors", {"sd15/text_encoder", "no weight file"});
}
