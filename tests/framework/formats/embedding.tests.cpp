// Reference files: make_lora_references.py. Their vectors are 0/8, 1/8, 2/8, ….
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/pickle_reader.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/artifact_file.h"
#include "framework/formats/lora_writer.h"
#include "tests/framework/formats/lora_reference.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

std::vector<EmbeddingFile> read(const std::string& name, const std::string& placeholder = "") {
  return read_artifact(lora_reference::path("embeddings/" + name), lora_reference::target("sd"), placeholder)
      .embeddings;
}

/// n vectors of width 12 that count in eighths.
TensorView eighths(std::int64_t n, std::int64_t width = 12) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n * width; ++i) values.push_back(static_cast<double>(i) / 8);
  return make_view(values, {n, width}, Dtype::f32);
}

void check_vectors(const EmbeddingFile& embedding, std::int64_t n) {
  REQUIRE(embedding.towers.size() == 1);
  const auto& view = embedding.towers.at("text_encoder");
  CHECK(view.shape == std::vector<std::int64_t>{n, 12});
  CHECK(lora_reference::values(view) == lora_reference::values(eighths(n)));
}

TensorFile file_of(std::map<std::string, TensorView> tensors) {
  return {.path = "folder/x.safetensors", .tensors = std::move(tensors), .metadata = {}};
}

void copy_into(const TemporaryFolder& folder, const std::string& from, const std::string& to) {
  std::filesystem::create_directories((folder / to).parent_path());
  std::filesystem::copy_file(lora_reference::path(from), folder / to);
}

}  // namespace

TEST_CASE("Every form of embedding file gives its token and vectors", "[formats][embedding]") {
  struct Row {
    const char* file;
    const char* token;
    const char* form;
    std::int64_t n;
    bool stem;
  };
  const auto row = GENERATE(values<Row>({{"learned_embeds.safetensors", "<cat-toy>", "diffusers", 1, false},
                                         {"learned_embeds.bin", "<cat-toy>", "diffusers", 2, false},
                                         {"bare.pt", "", "bare", 2, false},
                                         {"webui.pt", "my-cat", "A1111", 2, false},
                                         {"ink_style.safetensors", "ink_style", "A1111", 2, true},
                                         {"named.pt", "<sks>", "original", 2, false},
                                         {"original.pt", "original", "original", 2, true}}));
  INFO(row.file);
  const auto embeddings = read(row.file);
  REQUIRE(embeddings.size() == 1);
  CHECK(embeddings[0].token == row.token);
  CHECK(embeddings[0].form == row.form);
  CHECK(embeddings[0].token_is_stem == row.stem);
  check_vectors(embeddings[0], row.n);
  CHECK(sniff_artifact(lora_reference::path(std::string("embeddings/") + row.file)) == ArtifactKind::embedding);
}

TEST_CASE("A placeholder names the token where the file does not", "[formats][embedding]") {
  CHECK(read("bare.pt", "<dog>").at(0).token == "<dog>");
  CHECK(read("my_dog.safetensors", "<dog>").at(0).token == "<dog>");
  CHECK(read("original.pt", "<dog>").at(0).token == "<dog>");
  CHECK(read("ink_style.safetensors", "<dog>").at(0).token == "<dog>");
  CHECK(read("webui.pt", "<dog>").at(0).token == "my-cat");
  CHECK(read("learned_embeds.bin", "<dog>").at(0).token == "<cat-toy>");
}

TEST_CASE("Two-tower files give both towers and take their token from the stem", "[formats][embedding]") {
  const auto* name = GENERATE("my_dog", "old_trainer");
  const auto embedding = read(std::string(name) + ".safetensors").at(0);
  CHECK(embedding.token == name);
  CHECK(embedding.token_is_stem);
  CHECK(embedding.form == "two towers");
  CHECK(embedding.towers.at("text_encoder").shape == std::vector<std::int64_t>{2, 8});
  CHECK(embedding.towers.at("text_encoder_2").shape == std::vector<std::int64_t>{2, 12});
  CHECK(lora_reference::values(embedding.towers.at("text_encoder_2")) == lora_reference::values(eighths(2)));
}

TEST_CASE("A dictionary of several tokens gives each of them", "[formats][embedding]") {
  const auto embeddings = read("learned_embeds_steps_60.bin");
  REQUIRE(embeddings.size() == 2);
  CHECK(embeddings[0].token == "<new>");
  CHECK(embeddings[1].token == "<new>_1");
  check_vectors(embeddings[0], 1);
}

TEST_CASE("Tensors that are no tokens are refused with file and key", "[formats][embedding]") {
  const auto matrix = make_view(std::vector<double>(8, 1.0), {2, 2, 2}, Dtype::f32);
  CHECK_THROWS_WITH(read_embeddings(file_of({{"<a>", matrix}})), Contains("x.safetensors") && Contains("<a>"));
  CHECK_THROWS_WITH(read_embeddings(file_of({{"a", eighths(1)}, {"b", eighths(1, 4)}})), Contains("2 tensors"));
  CHECK_THROWS_WITH(read_embeddings(file_of({{"layer.a", eighths(1)}, {"layer.b", eighths(1)}})),
                    Contains("2 tensors"));
  CHECK_THROWS_WITH(read_embeddings(file_of({{"clip_l", eighths(1)}, {"t5", eighths(1)}})), Contains("t5"));
  CHECK_THROWS_WITH(read_embeddings(file_of({{"clip_l", eighths(1)}, {"clip_g", eighths(2)}})),
                    Contains("1 and 2 vectors"));
  CHECK_THROWS_WITH(read_embeddings(file_of({})), Contains("0 tensors"));
  auto integers = eighths(1);
  integers.dtype = Dtype::i32;
  CHECK_THROWS_WITH(read_embeddings(file_of({{"<a>", integers}})), Contains("<a>"));
}

TEST_CASE("A width that is not the encoder's is an error", "[formats][embedding]") {
  const auto embedding = read("my_dog.safetensors").at(0);
  CHECK_NOTHROW(check_widths(embedding, {{"text_encoder", 8}, {"text_encoder_2", 12}}, "x"));
  CHECK_THROWS_WITH(check_widths(embedding, {{"text_encoder", 768}, {"text_encoder_2", 12}}, "x"),
                    Contains("[n, 768]"));
  CHECK_THROWS_WITH(check_widths(embedding, {{"text_encoder", 8}}, "x"), Contains("text_encoder_2"));
}

TEST_CASE("What the embedding writers write reads back as it was", "[formats][embedding][writer]") {
  const TemporaryFolder folder;
  const auto one = learned_embeds("<cat-toy>", eighths(2));
  write_safetensors(folder / "a.safetensors", one.tensors, {.metadata = one.metadata});
  auto back = read_embeddings(read_safetensors(folder / "a.safetensors"));
  CHECK(back.at(0).token == "<cat-toy>");
  check_vectors(back.at(0), 2);

  const auto two = two_tower_embeds(eighths(2, 8), eighths(2));
  write_safetensors(folder / "my_dog.safetensors", two.tensors, {.metadata = two.metadata});
  back = read_embeddings(read_safetensors(folder / "my_dog.safetensors"));
  CHECK(back.at(0).token == "my_dog");
  CHECK(lora_reference::values(back.at(0).towers.at("text_encoder")) == lora_reference::values(eighths(2, 8)));
}

TEST_CASE("Pickled LoRA files give the layers that were written", "[formats][artifact]") {
  const auto* name = GENERATE("scripts.bin", "list.pt", "list.text_encoder.pt");
  INFO(name);
  const auto target = lora_reference::target("sd");
  const auto& expected = lora_reference::expected().at("files").at(name);
  CHECK(sniff_artifact(lora_reference::path(name)) == ArtifactKind::lora);
  const auto artifact = read_artifact(lora_reference::path(name), target);
  REQUIRE(artifact.lora);
  CHECK(artifact.lora->dialect == expected.at("dialect").get<std::string>());
  CHECK(artifact.embeddings.empty());
  lora_reference::check(artifact.lora->entries, target, expected.at("entries"));
}

TEST_CASE("A cloneofsimo file with a token gives the LoRA and the token", "[formats][artifact]") {
  const auto path = lora_reference::path("textreg.safetensors");
  const auto artifact = read_artifact(path, lora_reference::target("sd"));
  CHECK(sniff_artifact(path) == ArtifactKind::lora_and_embedding);
  CHECK(artifact.lora->entries.size() == 16);
  REQUIRE(artifact.embeddings.size() == 1);
  CHECK(artifact.embeddings[0].token == "<krk1>");
  check_vectors(artifact.embeddings[0], 1);
  CHECK(read_artifact(lora_reference::path("list.ti.pt"), lora_reference::target("sd")).embeddings.at(0).token ==
        "<krk1>");
}

TEST_CASE("A folder as DCO leaves it gives the LoRA and the tokens", "[formats][artifact]") {
  const TemporaryFolder folder;
  copy_into(folder, "scripts.safetensors", "pytorch_lora_weights.safetensors");
  copy_into(folder, "embeddings/my_dog.safetensors", "learned_embeds.safetensors");
  copy_into(folder, "embeddings/bare.pt", "optimizer.bin");
  CHECK(sniff_artifact(folder.path()) == ArtifactKind::lora_and_embedding);
  const auto artifact = read_artifact(folder.path(), lora_reference::target("sd"), "<dog>");
  CHECK(artifact.lora->entries.size() == 40);
  CHECK(artifact.embeddings.at(0).token == "<dog>");
  CHECK(artifact.embeddings.at(0).towers.size() == 2);
  CHECK(artifact.files.size() == 2);
}

TEST_CASE("A folder of PEFT adapters gives the layers of all components", "[formats][artifact]") {
  const auto path = lora_reference::path("peft_folder");
  const auto& files = lora_reference::expected().at("files");
  auto expected = files.at("peft_folder/unet").at("entries");
  expected.update(files.at("peft_folder/text_encoder").at("entries"));
  const auto target = lora_reference::target("sd");
  CHECK(sniff_artifact(path) == ArtifactKind::lora);
  lora_reference::check(read_artifact(path, target).lora->entries, target, expected);
  CHECK(read_artifact(path / "unet", target).lora->entries.size() == files.at("peft_folder/unet").at("entries").size());
}

TEST_CASE("A folder without known names is read when it holds one weight file", "[formats][artifact]") {
  const TemporaryFolder folder;
  const auto target = lora_reference::target("sd");
  CHECK_THROWS_WITH(read_artifact(folder.path(), target), Contains("no weight file"));
  CHECK(sniff_artifact(folder.path()) == ArtifactKind::unknown);
  copy_into(folder, "kohya_sd.safetensors", "style.safetensors");
  CHECK(read_artifact(folder.path(), target).lora->dialect == "kohya");
  copy_into(folder, "embeddings/webui.pt", "other.pt");
  CHECK_THROWS_WITH(read_artifact(folder.path(), target), Contains("other.pt, style.safetensors"));
}

TEST_CASE("Files of methods with their own form are named and refused", "[formats][artifact]") {
  const auto [name, kind] = GENERATE(table<const char*, ArtifactKind>(
      {{"refused/pytorch_custom_diffusion_weights.safetensors", ArtifactKind::custom_diffusion},
       {"refused/delta.bin", ArtifactKind::custom_diffusion},
       {"refused/delta.ckpt", ArtifactKind::custom_diffusion},
       {"refused/catversion", ArtifactKind::catversion},
       {"refused/catversion/pytorch_adapter.bin", ArtifactKind::catversion}}));
  INFO(name);
  const auto path = lora_reference::path(name);
  CHECK(sniff_artifact(path) == kind);
  const auto* method = kind == ArtifactKind::catversion ? "CatVersion" : "Custom Diffusion";
  CHECK_THROWS_WITH(read_artifact(path, lora_reference::target("sd")),
                    Contains(method) && Contains("needs the method's plugin") && Contains(path.string()));
}

TEST_CASE("What is no artifact is refused", "[formats][artifact]") {
  const TemporaryFolder folder;
  const auto target = lora_reference::target("sd");
  CHECK_THROWS_WITH(read_artifact(folder / "missing", target), Contains("missing"));
  CHECK_THROWS_WITH(read_artifact(lora_reference::path("expected.json"), target), Contains("JSON"));
  write_safetensors(folder / "x.safetensors", {{"a.weight", eighths(1)}, {"b.weight", eighths(2)}});
  CHECK(sniff_artifact(folder / "x.safetensors") == ArtifactKind::unknown);
  CHECK_THROWS_WITH(read_artifact(folder / "x.safetensors", target), Contains("2 tensors of no known kind"));
  std::filesystem::create_directory(folder / "pipeline");
  std::filesystem::copy_file(lora_reference::path("expected.json"), folder / "pipeline/model_index.json");
  CHECK(sniff_artifact(folder / "pipeline") == ArtifactKind::pipeline);
  CHECK_THROWS_WITH(read_artifact(folder / "pipeline", target), Contains("--model"));
}

// For `make_lora_references.py --check FOLDER`.
TEST_CASE("Write embedding files for Python to load", "[.][lora-files]") {
  const char* out = std::getenv("ATELIER_LORA_OUT");
  REQUIRE(out != nullptr);
  const std::filesystem::path folder = out;
  const auto one = learned_embeds("<cat-toy>", eighths(2));
  write_safetensors(folder / "learned_embeds.safetensors", one.tensors, {.metadata = one.metadata});
  const auto two = two_tower_embeds(eighths(2, 8), eighths(2));
  write_safetensors(folder / "two_towers.safetensors", two.tensors, {.metadata = two.metadata});
}
