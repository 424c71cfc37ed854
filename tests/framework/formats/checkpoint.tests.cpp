#include "framework/formats/checkpoint.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/component_folder.h"
#include "framework/formats/model_locator.h"
#include "framework/formats/pipeline_folder.h"
#include "tests/framework/formats/fixtures.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kComponents = {"unet", "vae", "text_encoder", "text_encoder_2"};

/// As write_safetensors() wants it: row-major, every tensor with bytes of its own.
TensorView own(const TensorView& view) {
  auto copy = std::make_shared<std::string>(fixtures::contiguous_bytes(view));
  TensorView result;
  result.dtype = view.dtype;
  result.shape = view.shape;
  result.bytes = std::as_bytes(std::span(*copy));
  result.owner = copy;
  return result;
}

std::map<std::string, TensorView> own(const std::map<std::string, TensorView>& tensors) {
  std::map<std::string, TensorView> out;
  for (const auto& [name, view] : tensors) out.emplace(name, own(view));
  return out;
}

/// A tiny model as a pipeline folder, made from its single file.
class Pipeline : public TemporaryFolder {
 public:
  explicit Pipeline(const std::string& name) : name_(name) {
    fixtures::write_configs(name, path());
    const auto file = Checkpoint::open(fixtures::single_file(name), {.model_config = path()});
    for (const auto& component : kComponents) {
      if (file.has(component)) write_safetensors(weights(component), own(file.weights(component).tensors));
    }
  }
  [[nodiscard]] fs::path weights(const std::string& component, const std::string& variant = "") const {
    const bool is_text = component.starts_with("text");
    return path() / component / ((is_text ? "model" : "diffusion_pytorch_model") + variant + ".safetensors");
  }
  [[nodiscard]] Checkpoint open(const CheckpointOptions& options = {}) const {
    return Checkpoint::open(path(), options);
  }
  void check(const Checkpoint& checkpoint) const {
    const auto& expected = fixtures::record(name_).at("expected");
    for (const auto& component : kComponents) {
      REQUIRE(checkpoint.has(component) == expected.contains(component));
      if (checkpoint.has(component)) fixtures::check_tensors(checkpoint.weights(component), expected.at(component));
    }
  }

 private:
  std::string name_;
};

void edit_json(const fs::path& path, const std::function<void(Json&)>& edit) {
  auto json = read_json_file(path);
  edit(json);
  fixtures::write_text(path, json.dump());
}

}  // namespace

TEST_CASE("a folder and a single file of one model give the same tensors", "[formats][checkpoint]") {
  for (const std::string name : {"sd1", "sd2", "sdxl"}) {
    const Pipeline pipeline(name);
    pipeline.check(pipeline.open());
    pipeline.check(Checkpoint::open(fixtures::single_file(name), {.model_config = pipeline.path()}));
  }
}

TEST_CASE("configs get the defaults of their class", "[formats][checkpoint]") {
  const Pipeline pipeline("sd1");
  const auto checkpoint = pipeline.open();
  CHECK(checkpoint.config("unet").at("norm_eps") == 1e-5);
  CHECK(checkpoint.config("unet").at("norm_num_groups") == 2);
  CHECK(checkpoint.config("vae").at("force_upcast") == true);
  CHECK(checkpoint.config("text_encoder").at("hidden_act") == "quick_gelu");
  CHECK(checkpoint.config("text_encoder").at("eos_token_id") == 49407);
  CHECK(checkpoint.scheduler_config().at("_class_name") == "PNDMScheduler");
  CHECK(checkpoint.scheduler_config().at("beta_schedule") == "scaled_linear");
  CHECK_FALSE(checkpoint.scheduler_config().contains("beta_start"));  // the default of the class that will be built
  CHECK(checkpoint.where("unet") == (pipeline / "unet").string());
  CHECK(checkpoint.tokenizer_folder("tokenizer") == pipeline / "tokenizer");
  CHECK(checkpoint.weight_files().size() == 3);
  CHECK_THROWS_WITH(checkpoint.config("text_encoder_2"), Catch::Contains("no such component"));
  CHECK_THROWS_WITH(checkpoint.tokenizer_folder("tokenizer_2"), Catch::Contains("no component \"tokenizer_2\""));
}

TEST_CASE("the user's prediction type wins over the files'", "[formats][checkpoint]") {
  const Pipeline pipeline("sd1");
  CHECK(pipeline.open().scheduler_config().at("prediction_type") == "epsilon");
  CHECK(pipeline.open({.prediction_type = "v_prediction"}).scheduler_config().at("prediction_type") == "v_prediction");
  CHECK_THROWS_WITH(pipeline.open({.prediction_type = "v_predictio"}), Catch::Contains("did you mean v_prediction?"));
}

TEST_CASE("options that concern single files are refused for folders", "[formats][checkpoint]") {
  const Pipeline pipeline("sd1");
  CHECK_THROWS_WITH(pipeline.open({.use_ema = true}), Catch::Contains("use_ema"));
  CHECK_THROWS_WITH(pipeline.open({.model_config = pipeline.path()}), Catch::Contains("model_config"));
}

TEST_CASE("a variant is taken where it exists, the plain file elsewhere", "[formats][checkpoint]") {
  const Pipeline pipeline("sd1");
  fs::rename(pipeline.weights("unet"), pipeline.weights("unet", ".fp16"));
  pipeline.check(pipeline.open({.variant = "fp16"}));
  CHECK_THROWS_WITH(pipeline.open().weights("unet"), Catch::Contains("unet"));
}

TEST_CASE("shards are read through their index", "[formats][checkpoint]") {
  const Pipeline pipeline("sd1");
  const auto unet = pipeline.open().weights("unet").tensors;
  const auto middle = std::next(unet.begin(), 50);
  const std::string base = "diffusion_pytorch_model";
  const auto shard = [&](int i) { return base + "-0000" + std::to_string(i) + "-of-00002.safetensors"; };
  Json index = {{"weight_map", Json::object()}};
  for (auto it = unet.begin(); it != unet.end(); ++it)
    index["weight_map"][it->first] = shard(it->first < middle->first ? 1 : 2);
  fs::remove(pipeline.weights("unet"));
  write_safetensors(pipeline / ("unet/" + shard(1)), own({unet.begin(), middle}));
  write_safetensors(pipeline / ("unet/" + shard(2)), own({middle, unet.end()}));
  fixtures::write_text(pipeline / ("unet/" + base + ".safetensors.index.json"), index.dump());
  pipeline.check(pipeline.open());
  CHECK(pipeline.open().weight_files().size() == 5);  // two networks, two shards, one index
}

TEST_CASE("pickles are read only when allowed", "[formats][checkpoint]") {
  // data/sd1.ckpt: what torch.save makes of {"state_dict": sd1.safetensors without the averages, "epoch": 3}.
  const Pipeline pipeline("sd1");
  const auto path = fixtures::single_file("sd1").replace_extension(".ckpt");
  pipeline.check(Checkpoint::open(path, {.allow_pickle = true, .model_config = pipeline.path()}));
  CHECK_THROWS_WITH(Checkpoint::open(path, {.model_config = pipeline.path()}),
                    Catch::Contains("sd1.ckpt: a pickle file"));
}

TEST_CASE("old attention names of a VAE are translated at any rank", "[formats][checkpoint]") {
  const Pipeline pipeline("sd1");
  const std::map<std::string, std::string> old_names = {
      {"to_q.", "query."}, {"to_k.", "key."}, {"to_v.", "value."}, {"to_out.0.", "proj_attn."}};
  for (const std::size_t rank : {2, 3, 4}) {
    std::map<std::string, TensorView> tensors;
    const auto plain = Checkpoint::open(fixtures::single_file("sd1"), {.model_config = pipeline.path()}).weights("vae");
    for (auto [key, view] : own(plain.tensors)) {
      auto name = key;
      for (const auto& [present, old] : old_names) {
        const auto at = name.find(present);
        if (at == std::string::npos) continue;
        name.replace(at, present.size(), old);
        while (view.shape.size() >= 2 && view.shape.size() < rank) view.shape.push_back(1);
      }
      tensors.emplace(name, view);
    }
    REQUIRE(tensors.contains("decoder.mid_block.attentions.0.proj_attn.weight"));
    write_safetensors(pipeline.weights("vae"), tensors);
    pipeline.check(pipeline.open());
  }
}

TEST_CASE("buffers that hold no weights are left out", "[formats][component_folder]") {
  TensorFile file;
  file.path = "x";
  file.tensors["text_model.embeddings.position_ids"] = fixtures::shaped({1, 77});
  file.tensors["logit_scale"] = fixtures::shaped({});
  file.tensors["text_model.final_layer_norm.bias"] = fixtures::shaped({4});
  CHECK(with_present_names(file, Json::object()).tensors.size() == 1);
  file.tensors["encoder.mid_block.attentions.0.query.bias"] = fixtures::shaped({4});
  file.tensors["encoder.mid_block.attentions.0.to_q.bias"] = fixtures::shaped({4});
  CHECK(with_present_names(file, Json::object()).tensors.size() == 3);
  CHECK_THROWS_WITH(with_present_names(file, {{"_class_name", "AutoencoderKL"}}),
                    Catch::Contains("both become \"encoder.mid_block.attentions.0.to_q.bias\""));
}

TEST_CASE("a published single file needs no configuration", "[formats][known_configs]") {
  for (const auto family : {Family::sd1, Family::sd2, Family::sdxl}) {
    const auto configs = known_configs(family, false);
    CHECK(configs.contains("text_encoder_2") == (family == Family::sdxl));
    CHECK(configs.at("unet").at("cross_attention_dim") == (family == Family::sd1   ? 768
                                                           : family == Family::sd2 ? 1024
                                                                                   : 2048));
  }
  // SD 2.1 at 768 predicts v, 2.1-base at 512 epsilon; formats.md 9 and 12.
  CHECK(known_configs(Family::sd2, false).at("scheduler").at("prediction_type") == "v_prediction");
  CHECK(known_configs(Family::sd2, false).at("unet").at("sample_size") == 96);
  CHECK(known_configs(Family::sd2, true).at("scheduler").at("prediction_type") == "epsilon");
  CHECK(known_configs(Family::sd2, true).at("unet").at("sample_size") == 64);
  CHECK(known_configs(Family::sdxl, false).at("vae").at("scaling_factor") == 0.13025);
  CHECK(known_configs(Family::sdxl, false).at("text_encoder_2").at("num_hidden_layers") == 32);
  CHECK(known_configs(Family::other, false).empty());
}

TEST_CASE("a whole CLIP's config gives its text tower's values", "[formats][known_configs]") {
  const Json config = {
      {"projection_dim", 8}, {"text_config", {{"hidden_size", 16}}}, {"vision_config", {{"hidden_size", 32}}}};
  CHECK(with_class_defaults("text_encoder", config).at("hidden_size") == 16);
  CHECK(with_class_defaults("text_encoder", config).at("projection_dim") == 8);
  CHECK(with_class_defaults("safety_checker", config) == config);
}

TEST_CASE("the marks of a single file reach the scheduler's config, and the user's prediction type wins",
          "[formats][checkpoint]") {
  const TemporaryFolder folder;
  auto file = read_safetensors(fixtures::single_file("sdxl"));
  for (const char* mark : {"v_pred", "ztsnr"}) file.tensors[mark] = fixtures::shaped({0});
  write_safetensors(folder / "marked.safetensors", file.tensors);
  const Pipeline pipeline("sdxl");
  const CheckpointOptions options{.model_config = pipeline.path()};
  const auto config = Checkpoint::open(folder / "marked.safetensors", options).scheduler_config();
  CHECK(config.at("prediction_type") == "v_prediction");
  CHECK(config.at("rescale_betas_zero_snr") == true);
  CHECK(config.at("timestep_spacing") == "trailing");
  auto chosen = options;
  chosen.prediction_type = "epsilon";
  CHECK(Checkpoint::open(folder / "marked.safetensors", chosen).scheduler_config().at("prediction_type") == "epsilon");
  CHECK(Checkpoint::open(fixtures::single_file("sdxl"), options).scheduler_config().at("prediction_type") == "epsilon");
}

TEST_CASE("a file of published width opens with its family's configs", "[formats][checkpoint]") {
  const TemporaryFolder folder;
  const std::vector<std::byte> bytes(4 * 320 * 768);
  const auto view = [&](std::vector<std::int64_t> shape) {
    auto result = fixtures::shaped(std::move(shape));
    result.dtype = Dtype::u8;
    result.bytes = std::span(bytes).first(static_cast<std::size_t>(result.numel()));
    return own(result);
  };
  const std::string unet = "model.diffusion_model.";
  write_safetensors(folder / "m.safetensors",
                    {{unet + "input_blocks.0.0.weight", view({320, 4, 3, 3})},
                     {unet + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", view({320, 768})}});
  const auto checkpoint = Checkpoint::open(folder / "m.safetensors");
  CHECK(checkpoint.family() == Family::sd1);
  CHECK(checkpoint.has("unet"));
  CHECK_FALSE(checkpoint.has("text_encoder"));
  CHECK(checkpoint.has("tokenizer"));
  CHECK_FALSE(checkpoint.has("safety_checker"));
  CHECK(checkpoint.weights("unet").tensors.contains("conv_in.weight"));
  CHECK(checkpoint.weights("unet").tensors.size() == 2);
  CHECK(checkpoint.config("vae").at("use_quant_conv") == true);
  CHECK(checkpoint.weight_files() == std::vector<fs::path>{folder / "m.safetensors"});
  ::setenv("HF_HUB_CACHE", (folder / "hub").c_str(), 1);
  CHECK_THROWS_WITH(checkpoint.tokenizer_folder("tokenizer"),
                    Catch::Contains("has no tokenizer") && Catch::Contains("--model-config"));
  const auto snapshot =
      folder.path() / "hub/models--stable-diffusion-v1-5--stable-diffusion-v1-5/snapshots" / std::string(40, 'a');
  fixtures::write_configs("sd1", snapshot);
  fixtures::write_text(snapshot.parent_path().parent_path() / "refs/main", std::string(40, 'a'));
  CHECK(checkpoint.tokenizer_folder("tokenizer") == snapshot / "tokenizer");
  ::unsetenv("HF_HUB_CACHE");
}

TEST_CASE("a single file of unknown sizes asks for its configuration", "[formats][checkpoint]") {
  CHECK_THROWS_WITH(Checkpoint::open(fixtures::single_file("sdxl")),
                    Catch::Contains("layout of SDXL with other sizes") && Catch::Contains("--model-config"));
  CHECK_THROWS_WITH(Checkpoint::open("/no/such/model"), Catch::Contains("/no/such/model: no such file or folder"));
}

TEST_CASE("a location's options reach the checkpoint", "[formats][checkpoint]") {
  const Pipeline pipeline("sd1");
  const ModelLocation location{.path = fixtures::single_file("sd1"),
                               .provenance = "",
                               .model_config = pipeline.path(),
                               .prediction_type = "v_prediction",
                               .use_ema = true};
  const auto checkpoint = Checkpoint::open(location);
  CHECK(checkpoint.scheduler_config().at("prediction_type") == "v_prediction");
  fixtures::check_tensors(checkpoint.weights("unet"), fixtures::record("sd1").at("expected_ema"));
}

TEST_CASE("a damaged index is refused with file and key", "[formats][pipeline_folder]") {
  const Pipeline pipeline("sd1");
  const auto index = pipeline / "model_index.json";
  const auto original = read_json_file(index);
  const auto fails = [&](const std::string& key, const Json& value, const std::string& expected) {
    auto changed = original;
    changed[key] = value;
    fixtures::write_text(index, changed.dump());
    INFO(key);
    CHECK_THROWS_WITH(pipeline.open(), Catch::Contains("model_index.json") && Catch::Contains(expected));
  };
  fails("../evil", {"diffusers", "X"}, "the component \"../evil\"");
  fails("/etc", {"diffusers", "X"}, "the component \"/etc\"");
  fails("..", {"diffusers", "X"}, "the component \"..\"");
  fails("unet", {"diffusers", "UNet3DConditionModel"}, "unet: \"UNet3DConditionModel\"");
  fails("vae", {"diffusers", "AutoencoderTiny"}, "AutoencoderKL");
  fails("transformer", {"diffusers", "SD3Transformer2DModel"}, "diffusion transformer");
  fixtures::write_text(index, "[]");
  CHECK_THROWS_WITH(pipeline.open(), Catch::Contains("no object"));
  fixtures::write_text(index, "{");
  CHECK_THROWS_WITH(pipeline.open(), Catch::Contains("not JSON"));
  fs::remove(index);
  CHECK_THROWS_WITH(pipeline.open(), Catch::Contains("model_index.json: no such file"));
}

TEST_CASE("absent components and options of an index are kept apart", "[formats][pipeline_folder]") {
  const Pipeline pipeline("sd1");
  edit_json(pipeline / "model_index.json", [](Json& index) {
    index["safety_checker"] = {nullptr, nullptr};
    index["feature_extractor"] = {"transformers", "CLIPImageProcessor"};
    index["requires_safety_checker"] = false;
    index["unheard_of"] = {1, 2};
  });
  const auto folder = PipelineFolder::open(pipeline.path());
  CHECK_FALSE(folder.has("safety_checker"));
  CHECK_FALSE(folder.has("unheard_of"));
  CHECK(folder.components().at("feature_extractor").type == "CLIPImageProcessor");
  CHECK(folder.index().at("unheard_of") == Json({1, 2}));
  CHECK_THROWS_WITH(folder.component("feature_extractor"), Catch::Contains("no such folder"));
  pipeline.check(pipeline.open());  // what has no folder is in nobody's way
}

TEST_CASE("faults inside a pipeline are named by their file", "[formats][pipeline_folder]") {
  const Pipeline pipeline("sd1");
  edit_json(pipeline / "unet/config.json", [](Json& config) { config["in_channels"] = 9; });
  CHECK_THROWS_WITH(pipeline.open(), Catch::Contains("unet/config.json: in_channels: 9, an inpainting model"));
  fixtures::write_text(pipeline / "unet/config.json", "[]");
  CHECK_THROWS_WITH(pipeline.open(), Catch::Contains("unet/config.json: no object"));
  fs::remove(pipeline / "unet/config.json");
  CHECK_THROWS_WITH(pipeline.open().config("unet"), Catch::Contains("no config.json"));
  fs::remove(pipeline / "scheduler/scheduler_config.json");
  CHECK_THROWS_WITH(pipeline.open(), Catch::Contains("scheduler_config.json: no such file"));
}

TEST_CASE("a component's folder stands on its own", "[formats][component_folder]") {
  const Pipeline pipeline("sd1");
  const auto folder = ComponentFolder::open(pipeline / "text_encoder");
  CHECK(folder.config().at("hidden_size") == 4);
  CHECK(folder.weights().tensors.size() == 36);
  CHECK(folder.weight_files() == std::vector<fs::path>{pipeline.weights("text_encoder")});
  CHECK_THROWS_WITH(ComponentFolder::open(pipeline.path()), Catch::Contains("config.json: no such file"));
  CHECK_THROWS_WITH(ComponentFolder::open(pipeline / "nowhere"), Catch::Contains("no such folder"));
}

TEST_CASE("JSON files with random damage give an Error or a model, nothing else", "[formats][checkpoint]") {
  const Pipeline pipeline("sd2");
  std::mt19937 random(1);
  const auto pick = [&](std::size_t end) { return static_cast<std::size_t>(random() % end); };
  const std::vector<std::string> words = {"null", "-1",         "1e999", "[]", "{}", "\"x\"", "99999999999999999999",
                                          "true", "\"\\u0000\""};
  for (const std::string name : {"model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
                                 "scheduler/scheduler_config.json"}) {
    const auto original = read_text_file(pipeline / name);
    int opened = 0;
    for (int round = 0; round < 100; ++round) {
      auto text = original;
      const auto colon = text.find(':', pick(text.size()));
      const auto end = text.find_first_of(",}", colon);
      if (round % 2 == 0 && end != std::string::npos) {
        text.replace(colon + 1, end - colon - 1, words[pick(words.size())]);  // one value becomes another
      } else {
        text[pick(text.size())] = static_cast<char>(random());
      }
      fixtures::write_text(pipeline / name, text);
      INFO(name << ": " << text);
      try {
        const auto checkpoint = Checkpoint::open(fixtures::single_file("sd2"), {.model_config = pipeline.path()});
        for (const auto* component : {"unet", "vae", "text_encoder"}) (void)checkpoint.weights(component);
        for (const auto* component : {"unet", "vae", "text_encoder"}) (void)pipeline.open().weights(component);
        ++opened;
      } catch (const Error& error) {
        CHECK_FALSE(error.fault().where.empty());
      }
    }
    fixtures::write_text(pipeline / name, original);
    CHECK(opened > 0);
  }
}
