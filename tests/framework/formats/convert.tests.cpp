// Conversions: every pair that conversions() lists, there and back.
#include "framework/formats/convert.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/lora_values.h"
#include "framework/formats/lora_writer_parts.h"
#include "framework/formats/trained_artifact.h"
#include "tests/framework/formats/convert_sources.h"
#include "tests/framework/formats/lora_reference.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;
using convert_sources::Source;

namespace {

namespace fs = std::filesystem;

ConvertTarget target_of(const std::string& name) {
  return {.names = lora_reference::target(name),
          .widths = {},
          .info = {.family = name == "sdxl" ? Family::sdxl : Family::sd1}};
}

/// Where the token's name is the file's, that is what the file has to be called.
fs::path out_file(const fs::path& folder, const std::string& dialect, const Source& source) {
  const auto stem = source.tokens.empty() ? std::string("written") : source.tokens[0].token;
  return folder / (stem + find_dialect(dialect).ending);
}

void check_entries(const std::vector<LoraEntry>& found, const std::vector<LoraEntry>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    INFO(wanted[i].module);
    CHECK(found[i].module == wanted[i].module);
    CHECK(found[i].rank == wanted[i].rank);
    CHECK(found[i].alpha == wanted[i].alpha);
    CHECK(found[i].down.shape == wanted[i].down.shape);
    CHECK(found[i].up.shape == wanted[i].up.shape);
    CHECK(found[i].up.dtype == wanted[i].up.dtype);
    CHECK(lora_reference::values(found[i].down) == lora_reference::values(wanted[i].down));
    CHECK(lora_reference::values(found[i].up) == lora_reference::values(wanted[i].up));
  }
}

void check_tokens(const std::vector<EmbeddingFile>& found, const std::vector<EmbeddingFile>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(found[i].token == wanted[i].token);
    REQUIRE(found[i].towers.size() == wanted[i].towers.size());
    for (const auto& [tower, view] : wanted[i].towers) {
      CHECK(found[i].towers.at(tower).shape == view.shape);
      CHECK(lora_reference::values(found[i].towers.at(tower)) == lora_reference::values(view));
    }
  }
}

/// What the file holds is what the source holds (of the pair's kind).
void check_file(const fs::path& path, const Source& source, const ConvertTarget& target, const ConversionPair& pair) {
  const bool lora = pair.holds == "LoRA";
  const auto artifact = read_for_conversion(path, &target, "");
  if (lora) {
    REQUIRE(artifact.lora);
    check_entries(artifact.lora->entries, source.entries);
    return;
  }
  check_tokens(artifact.embeddings, source.tokens);
}

}  // namespace

TEST_CASE("Every listed conversion keeps tensors, alphas, ranks and names, there and back", "[formats][convert]") {
  const auto pairs = conversions();
  const auto pair = pairs.at(static_cast<std::size_t>(GENERATE_COPY(range(0, static_cast<int>(pairs.size())))));
  INFO(pair.from << " to " << pair.to);
  const TemporaryFolder folder;
  const bool towers = pair.from == "artifact" && pair.to == "two-towers";
  const auto source = convert_sources::make(towers ? "artifact of two towers" : pair.from, folder.path());
  const auto target = target_of(source.target);
  const auto* model = pair.needs_model ? &target : nullptr;  // without the model where the list says so
  fs::create_directories(folder / "there");
  const auto there = out_file(folder / "there", pair.to, source);
  const auto report = convert({.in = source.path, .to = pair.to, .out = there, .target = model, .token = source.token});
  CHECK(std::ranges::find(report.from, pair.from) != report.from.end());
  CHECK(report.layers == (pair.holds == "LoRA" ? source.entries.size() : 0));
  const auto written = dialects_of(there);
  CHECK(written.at(0) == (pair.to == "kohya" && source.target == "sdxl" ? "kohya-sgm" : pair.to));
  check_file(there, source, target, pair);

  if (!find_dialect(pair.from).written || find_dialect(pair.from).holds != pair.holds) return;
  fs::create_directories(folder / "back");
  const auto back = out_file(folder / "back", pair.from, source);
  (void)convert({.in = there, .to = pair.from, .out = back, .target = model});
  check_file(back, source, target, pair);
}

TEST_CASE("A pair is listed once, and every dialect is read into some other", "[formats][convert]") {
  std::set<std::pair<std::string, std::string>> seen;
  std::set<std::string> from;
  for (const auto& pair : conversions()) {
    CHECK(seen.emplace(pair.from, pair.to).second);
    CHECK(find_dialect(pair.to).written);
    from.insert(pair.from);
  }
  CHECK(from.size() == dialects().size());
  CHECK_THROWS_WITH(find_dialect("khoya"), Contains("'khoya'") && Contains("kohya"));
}

TEST_CASE("An alpha that no binary fraction of the rank is survives dialects without alphas", "[formats][convert]") {
  const std::string to = GENERATE("diffusers", "cloneofsimo", "peft", "kohya");
  INFO(to);
  const TemporaryFolder folder;
  const auto target = target_of("sd");
  auto entries = convert_sources::lora(target.names, convert_sources::attention(target.names, true),
                                       {0.7 / 3, 5.0, 0.1, -0.3}, {3, 1});
  std::ranges::sort(entries, {}, &LoraEntry::module);
  const auto set = peft_lora(entries);
  write_safetensors(folder / "a.safetensors", set.tensors, {.metadata = set.metadata});
  (void)convert({.in = folder / "a.safetensors", .to = to, .out = folder / "b.safetensors", .target = &target});
  (void)convert({.in = folder / "b.safetensors", .to = "peft", .out = folder / "c.safetensors", .target = &target});
  const auto back = read_for_conversion(folder / "c.safetensors", nullptr, "").lora->entries;
  REQUIRE(back.size() == entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CHECK(back[i].alpha == entries[i].alpha);
    CHECK(back[i].rank == entries[i].rank);
    const auto up = lora_reference::values(entries[i].up);
    const auto found = lora_reference::values(back[i].up);
    for (std::size_t k = 0; k < up.size(); ++k) CHECK(found[k] == Approx(up[k]).epsilon(2.5e-7));  // two roundings
  }
  // What a program that knows nothing of our note computes: ΔW = up · down alone.
  if (to != "diffusers" && to != "cloneofsimo") return;
  const auto plain = read_lora(read_safetensors(folder / "b.safetensors"), target.names).entries;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CHECK(plain[i].alpha == static_cast<double>(plain[i].rank));
    const auto scale = entries[i].alpha / static_cast<double>(entries[i].rank);
    const auto up = lora_reference::values(entries[i].up);
    const auto folded = lora_reference::values(plain[i].up);
    for (std::size_t k = 0; k < up.size(); ++k) CHECK(folded[k] == Approx(scale * up[k]).epsilon(1e-6));
  }
}

TEST_CASE("Unknown and missing keys are reported by name", "[formats][convert]") {
  const TemporaryFolder folder;
  const auto target = target_of("sd");
  const auto source = convert_sources::make("peft", folder.path());
  auto file = read_safetensors(source.path);
  const auto write = [&] { write_safetensors(folder / "bad.safetensors", file.tensors, {.metadata = file.metadata}); };
  const auto run = [&](const ConvertTarget* model) {
    (void)convert({.in = folder / "bad.safetensors", .to = "diffusers", .out = folder / "o", .target = model});
  };
  const auto first = file.tensors.begin()->first;
  const auto module = first.substr(0, first.find(".lora_A"));

  file.tensors.emplace("unet.nowhere.lora_A.weight", convert_sources::noise({1, 16}, 1));
  file.tensors.emplace("unet.nowhere.lora_B.weight", convert_sources::noise({16, 1}, 2));
  write();
  CHECK_THROWS_WITH(run(&target), Contains("unet.nowhere.lora_A.weight") && Contains("2 keys"));
  CHECK_NOTHROW(run(nullptr));  // no model that could tell
  file.tensors.emplace("unet.odd.thing", convert_sources::noise({2}, 3));
  write();
  CHECK_THROWS_WITH(run(nullptr), Contains("unet.odd.thing"));
  file.tensors.erase("unet.odd.thing");
  file.tensors.erase(module + ".lora_B.weight");
  write();
  CHECK_THROWS_WITH(run(nullptr), Contains(module) && Contains("without its up matrix"));
}

TEST_CASE("What cannot be converted says what to do", "[formats][convert]") {
  const TemporaryFolder folder;
  const auto out = folder / "out";
  const auto peft = convert_sources::make("peft", folder.path());
  CHECK_THROWS_WITH(convert({.in = peft.path, .to = "kohya", .out = out}), Contains("--model"));
  CHECK_THROWS_WITH(convert({.in = peft.path, .to = "a1111", .out = out}),
                    Contains("does not become a1111") && Contains("--list"));
  const auto bare = convert_sources::make("bare", folder.path());
  CHECK_THROWS_WITH(convert({.in = bare.path, .to = "learned_embeds", .out = out}), Contains("--token"));
  const auto several = lora_reference::path("embeddings/learned_embeds_steps_60.bin");
  CHECK_THROWS_WITH(convert({.in = several, .to = "a1111", .out = out}),
                    Contains("2 tokens: <new>, <new>_1") && Contains("--token"));
  CHECK(convert({.in = several, .to = "a1111", .out = out, .token = "<new>_1"}).tokens ==
        std::vector<std::string>{"<new>_1"});
  CHECK_FALSE(fs::exists(folder / "out.tmp"));
  auto target = target_of("sd");
  target.widths = {{"text_encoder", 768}};
  CHECK_THROWS_WITH(convert({.in = several, .to = "learned_embeds", .out = out, .target = &target}),
                    Contains("[n, 768]"));
}

TEST_CASE("A LoRA and its token become one artifact of a method, and come out of it again", "[formats][convert]") {
  const TemporaryFolder folder;
  const auto lora = convert_sources::make("peft", folder.path());
  fs::create_directories(folder / "both");
  fs::copy_file(lora.path, folder / "both/pytorch_lora_weights.safetensors");
  const auto embeds = convert_sources::make("learned_embeds", folder / "both");
  const auto out = folder / "artifact.safetensors";
  const auto report = convert({.in = folder / "both", .to = "artifact", .out = out, .method = "some_method"});
  CHECK(report.layers == lora.entries.size());
  CHECK(report.tokens == std::vector<std::string>{"<cat>"});
  CHECK(report.left.empty());
  const auto written = read_safetensors(out);
  const auto about = parse_json(written.metadata.at("atelier"), "about");
  CHECK(about.at("method") == "some_method");
  CHECK(written.tensors.contains("text_encoder.token.<cat>"));
  CHECK(written.tensors.at("text_encoder.token.<cat>_1").shape == std::vector<std::int64_t>{12});
  const auto back = read_for_conversion(out, nullptr, "");
  check_entries(back.lora->entries, lora.entries);
  check_tokens(back.embeddings, embeds.tokens);
  // What a method does with it, which knows no alpha: up · down alone.
  for (const auto& entry : lora.entries) {
    const auto up = lora_reference::values(written.tensors.at(entry.module + ".lora_B.weight"));
    const auto before = lora_reference::values(entry.up);
    for (std::size_t i = 0; i < up.size(); ++i) {
      CHECK(up[i] == before[i] * entry.alpha / static_cast<double>(entry.rank));
    }
  }
}

TEST_CASE("An artifact of a method that learns more is refused by the names of its tensors", "[formats][convert]") {
  const TemporaryFolder folder;
  const auto source = convert_sources::make("artifact", folder.path());
  auto file = read_safetensors(source.path);
  file.tensors.emplace("aux.optimizer.lora_A.weight", convert_sources::noise({2}, 1));
  const auto write = [&] { write_safetensors(source.path, file.tensors, {.metadata = file.metadata}); };
  const auto run = [&] { (void)convert({.in = source.path, .to = "peft", .out = folder / "o.safetensors"}); };
  write();
  CHECK_NOTHROW(run());  // what later stages alone read is nobody's
  file.tensors.emplace("unet.conv_in.weight", convert_sources::noise({4, 4}, 1));
  write();
  CHECK_THROWS_WITH(run(), Contains("unet.conv_in.weight") && Contains("learns more"));
}

TEST_CASE("A file with both says what it had no place for, and a folder with both becomes one file",
          "[formats][convert]") {
  const TemporaryFolder folder;
  const auto target = target_of("sd");
  const auto source = convert_sources::make("cloneofsimo", folder.path());
  fs::create_directories(folder / "both");
  const auto lora = convert(
      {.in = source.path, .to = "peft", .out = folder / "both/pytorch_lora_weights.safetensors", .target = &target});
  CHECK(lora.left == std::vector<std::string>{"the token <krk1>"});
  const auto tokens =
      convert({.in = source.path, .to = "learned_embeds", .out = folder / "both/learned_embeds.safetensors"});
  CHECK(tokens.left == std::vector<std::string>{"the LoRA"});
  const auto both =
      convert({.in = folder / "both", .to = "cloneofsimo", .out = folder / "again.safetensors", .target = &target});
  CHECK(both.tokens == std::vector<std::string>{"<krk1>"});
  const auto again = read_safetensors(folder / "again.safetensors");
  const auto before = read_safetensors(source.path);
  CHECK(again.metadata == before.metadata);
  REQUIRE(again.tensors.size() == before.tensors.size());
  for (const auto& [name, view] : before.tensors) {
    CHECK(lora_reference::values(again.tensors.at(name)) == lora_reference::values(view));
  }
}

TEST_CASE("cloneofsimo numbers the layers of SDXL's three components, and holds a token's vectors of the first encoder",
          "[formats][convert]") {
  const TemporaryFolder folder;
  const auto target = target_of("sdxl");
  REQUIRE(target.names.components().contains("text_encoder_2"));
  auto entries = convert_sources::lora(target.names, convert_sources::attention(target.names, true), {1.0, 0.5, 2.0},
                                       {3, 1, 2, 4});
  std::ranges::sort(entries, {}, &LoraEntry::module);
  EmbeddingFile token{.token = "<cat>", .token_is_stem = false, .towers = {}, .form = ""};
  token.towers = {{"text_encoder", convert_sources::noise({2, 8}, 1)},
                  {"text_encoder_2", convert_sources::noise({2, 12}, 2)}};
  const auto set = trained_artifact(entries, {token}, "some_method", "test");
  write_safetensors(folder / "artifact.safetensors", set.tensors, {.metadata = set.metadata});
  const auto lora = [&](const char* in, const char* to, const char* out) {
    return convert({.in = folder / in, .to = to, .out = folder / out, .target = &target});
  };
  const auto there = lora("artifact.safetensors", "cloneofsimo", "there.safetensors");
  CHECK(there.layers == entries.size());
  CHECK(there.left == std::vector<std::string>{"the vectors of <cat> for text_encoder_2"});
  const auto read = read_for_conversion(folder / "there.safetensors", &target, "");
  auto expected = entries;  // an artifact's alphas are its ranks
  for (auto& entry : expected) {
    entry.up = scaled(entry.up, entry.alpha / static_cast<double>(entry.rank), entry.up.dtype, entry.module);
    entry.alpha = static_cast<double>(entry.rank);
  }
  check_entries(read.lora->entries, expected);
  token.towers.erase("text_encoder_2");
  check_tokens(read.embeddings, {token});
  CHECK(lora("there.safetensors", "peft", "back.safetensors").layers == entries.size());
  check_entries(read_for_conversion(folder / "back.safetensors", &target, "").lora->entries, expected);
}

TEST_CASE("A token of two encoders in a form for one says what it leaves", "[formats][convert]") {
  const TemporaryFolder folder;
  const auto source = convert_sources::make("artifact of two towers", folder.path());
  const std::string to = GENERATE("learned_embeds", "learned_embeds-bin", "a1111", "a1111-safetensors");
  const auto report = convert({.in = source.path, .to = to, .out = folder / "<cat>.out"});
  CHECK(report.left == std::vector<std::string>{"the vectors of <cat> for text_encoder_2"});
  CHECK(convert({.in = source.path, .to = "two-towers", .out = folder / "<cat>.safetensors"}).left.empty());
}

TEST_CASE("--dtype is the element type of what is written", "[formats][convert]") {
  const TemporaryFolder folder;
  const auto source = convert_sources::make("peft", folder.path());
  (void)convert({.in = source.path, .to = "diffusers", .out = folder / "h.safetensors", .dtype = Dtype::f16});
  for (const auto& [name, view] : read_safetensors(folder / "h.safetensors").tensors) CHECK(view.dtype == Dtype::f16);
}
