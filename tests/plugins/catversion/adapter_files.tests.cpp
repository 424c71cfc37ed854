// The files of the authors' program, written and read, and what is no such file or contradicts itself.
#include "plugins/catversion/adapter_files.h"

#include <ATen/ops/equal.h>

#include <filesystem>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/files/pickle_reader.h"
#include "framework/files/safetensors_writer.h"
#include "framework/files/torch_writer.h"
#include "framework/files/zip_archive.h"
#include "framework/tensor/tensor_io.h"
#include "tests/plugins/catversion/world.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using catversion::kControlTrans;
using catversion::PrefixForm;

namespace {

namespace fs = std::filesystem;

/// Layers of a text encoder, as the worker names them.
ModuleNames encoder_names(std::int64_t width, int depth) {
  ModuleNames names;
  for (int i = 0; i < depth; ++i) {
    names.add("text_encoder", "text_model.encoder.layers." + std::to_string(i) + ".self_attn.k_proj.weight",
              std::vector<std::int64_t>{width, width});
  }
  return names;
}

const ModuleNames& stable_diffusion() {
  static const ModuleNames names = encoder_names(768, 12);
  return names;
}

const PrefixForm kPublished{.length = 1, .layers = {9, 10, 11}};

void put(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  write_file_atomically(path, bytes);
}

void write_all(const fs::path& folder, const TrainedArtifact& artifact, bool with_layer_file) {
  for (const auto& [name, bytes] : catversion::adapter_folder(artifact, stable_diffusion())) put(folder / name, bytes);
  if (!with_layer_file) return;
  fs::create_directories(folder);
  for (const auto& [name, content] : catversion::layer_file(artifact, stable_diffusion()))
    write_safetensors(folder / name, content.tensors, {.metadata = content.metadata, .add_format = false});
}

std::optional<TrainedArtifact> read(const fs::path& path, const Json& settings = Json::object(),
                                    const ModuleNames& target = stable_diffusion()) {
  const ForeignFiles files(path);
  return catversion::read_adapter({.files = files, .target = target, .settings = settings});
}

void check_same(const TrainedArtifact& found, const TrainedArtifact& expected) {
  CHECK(at::equal(found.tensors.at(kControlTrans), expected.tensors.at(kControlTrans)));
  for (const char* note : {"layers", "prefix_length", "prefix_logit_bias"})
    CHECK(found.notes.at(note) == expected.notes.at(note));
  CHECK(found.step == expected.step);
}

TorchValue::Dictionary keys_of(const Tensor& flat, const std::vector<std::string>& names) {
  TorchValue::Dictionary keys;
  for (const auto& name : names) keys.emplace_back(name, to_view(flat));
  return keys;
}

}  // namespace

TEST_CASE("catversion: the authors' folder has their names, one storage and the state of their step",
          "[catversion][files]") {
  const auto trained = catversion_world::artifact(kPublished);
  const auto files = catversion::adapter_folder(trained, stable_diffusion());
  REQUIRE(files.size() == 2);
  const Json config = parse_json(files.at("adapter_gs-999/adapter_config.json"), "config");
  CHECK(config.at("hidden_size") == 768);
  CHECK(config.at("version") == "3.2.1");
  CHECK(config.at("config").at("architecture") == "prefix_tuning");
  CHECK(config.at("config").at("prefix_length") == 1);
  CHECK(config.at("config").at("flat") == true);
  const std::string& weights = files.at("adapter_gs-999/pytorch_adapter.bin");
  const auto bytes = std::as_bytes(std::span(weights));
  const auto archive = ZipArchive::parse(bytes, "weights");
  CHECK(archive.find("archive/data/0")->bytes.size() == 18432);
  CHECK(archive.find("archive/data/1") == nullptr);
  const PickleValue root = parse_pickle(bytes, "weights");
  std::vector<std::string> keys;
  for (const auto& [key, value] : root.entries()) keys.emplace_back(key.text());
  const std::string tail = "prefix_tunings.prefix_tuning1.clip_text_model_self_prefix.control_trans";
  CHECK(keys == std::vector<std::string>{"text_model.encoder.layers.9.self_attn.prefix_tuning.pool." + tail,
                                         "text_model.encoder.layers.10.self_attn.prefix_tuning.pool." + tail,
                                         "text_model.encoder.layers.11.self_attn.prefix_tuning.pool." + tail,
                                         "prefix_tuning." + tail});
  CHECK(root.find(keys[0])->tensor().shape == std::vector<std::int64_t>{4608});
  // Their form cannot say another bias.
  auto plain = kPublished;
  plain.logit_bias = 0.0;
  CHECK(catversion::adapter_folder(catversion_world::artifact(plain), stable_diffusion()).empty());
}

TEST_CASE("catversion: what is written is read back, from each form and each place", "[catversion][files]") {
  const PrefixForm form{.length = 3, .layers = {2, 7, 10}};
  auto trained = catversion_world::artifact(form);
  trained.notes["caption"] = "teddybear";
  const TemporaryFolder folder;
  write_all(folder / "both", trained, true);
  write_all(folder / "authors", trained, false);
  const auto both = read(folder / "both");
  REQUIRE(both);
  check_same(*both, trained);
  CHECK(both->notes.at("phrase") == "teddybear");
  check_same(*read(folder / "both/catversion.safetensors"), trained);
  check_same(*read(folder / "authors"), trained);
  check_same(*read(folder / "authors/adapter_gs-999"), trained);
  const auto file = read(folder / "authors/adapter_gs-999/pytorch_adapter.bin", {{"caption", "toy"}});
  CHECK(file->notes.at("phrase") == "toy");
  CHECK(at::equal(file->tensors.at(kControlTrans), trained.tensors.at(kControlTrans)));
}

TEST_CASE("catversion: a bias that is not the published one is kept in our file", "[catversion][files]") {
  PrefixForm form = kPublished;
  form.logit_bias = 0.0;
  const auto trained = catversion_world::artifact(form);
  const TemporaryFolder folder;
  write_all(folder / "x", trained, true);
  check_same(*read(folder / "x"), trained);
}

TEST_CASE("catversion: where no key names the layers the user does", "[catversion][files]") {
  const auto trained = catversion_world::artifact(kPublished);
  const Tensor& flat = trained.tensors.at(kControlTrans);
  const TemporaryFolder folder;
  put(folder / "named.pt", torch_file(keys_of(flat, {"control_trans"})));
  put(folder / "bare.pt", torch_file(to_view(flat)));
  CHECK_THROWS_WITH(read(folder / "named.pt"), Catch::Contains("--artifact-set layers=9,10,11"));
  CHECK_FALSE(read(folder / "bare.pt"));  // a tensor alone may be anything
  for (const Json& layers : {Json({9, 10, 11}), Json("9,10,11"), Json("-3,-2,-1")}) {
    CHECK(read(folder / "named.pt", {{"layers", layers}})->notes.at("layers") == "[9,10,11]");
    CHECK(read(folder / "bare.pt", {{"layers", layers}})->notes.at("prefix_length") == "1");
  }
  CHECK(read(folder / "bare.pt", {{"layers", 4}})->notes.at("prefix_length") == "3");
  CHECK(read(folder / "bare.pt", {{"layers", {4}}, {"prefix_logit_bias", 0}})->notes.at("prefix_logit_bias") == "0.0");
}

TEST_CASE("catversion: files of others are left to others", "[catversion][files]") {
  const TemporaryFolder folder;
  const Tensor some = tiny::random({8}, 1);
  put(folder / "x/other.pt", torch_file(keys_of(some, {"a.b"})));
  put(folder / "x/pytorch_adapter.bin", torch_file(keys_of(some, {"c"})));
  CHECK_FALSE(read(folder / "x"));
  CHECK_FALSE(read(folder / "x/other.pt"));
  put(folder / "x/adapter_config.json", R"({"config": {"architecture": "adapter"}})");
  CHECK_FALSE(read(folder / "x"));
}

TEST_CASE("catversion: contradictions and other forms of prefix are refused", "[catversion][files]") {
  const auto trained = catversion_world::artifact(kPublished);
  const Tensor& flat = trained.tensors.at(kControlTrans);
  const TemporaryFolder folder;
  write_all(folder / "x", trained, false);
  CHECK_THROWS_WITH(read(folder / "x", {{"layers", {8, 9, 10}}}), Catch::Contains("[9,10,11]"));
  CHECK_THROWS_WITH(read(folder / "x", {{"strength", 2}}), Catch::Contains("setting strength"));
  CHECK_THROWS_WITH(read(folder / "x", {{"prefix_length", 2}}), Catch::Contains("2 entries"));
  CHECK_THROWS_WITH(read(folder / "x", {{"layers", "some"}}), Catch::Contains("a list such as"));
  CHECK_THROWS_WITH(read(folder / "x", Json::object(), encoder_names(32, 3)), Catch::Contains("layer 9"));
  CHECK_THROWS_WITH(read(folder / "x", Json::object(), encoder_names(1024, 23)), Catch::Contains("4608 numbers"));

  write_all(folder / "x/other", trained, false);
  CHECK_THROWS_WITH(read(folder / "x"), Catch::Contains("2 adapters"));

  const std::string key = "text_model.encoder.layers.9.self_attn.prefix.control_trans";
  auto two = keys_of(flat, {key});
  two.emplace_back("text_model.encoder.layers.10.self_attn.prefix.control_trans", to_view(flat + 1.0));
  put(folder / "two.pt", torch_file(two));
  CHECK_THROWS_WITH(read(folder / "two.pt"), Catch::Contains("another tensor"));
  auto bottleneck = keys_of(flat, {key});
  bottleneck.emplace_back("text_model.encoder.layers.9.self_attn.prefix.control_trans.0.weight", to_view(flat));
  put(folder / "bottleneck.pt", torch_file(bottleneck));
  CHECK_THROWS_WITH(read(folder / "bottleneck.pt"), Catch::Contains("bottleneck"));
  put(folder / "gated/adapter_config.json",
      R"({"config": {"architecture": "prefix_tuning", "flat": true, "use_gating": true}})");
  put(folder / "gated/pytorch_adapter.bin", torch_file(keys_of(flat, {key})));
  CHECK_THROWS_WITH(read(folder / "gated"), Catch::Contains("use_gating"));
}
