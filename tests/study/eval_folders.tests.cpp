// `atelier eval`: folders of pictures from any program, scored by a protocol.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;
using atelier::Json;

namespace {

const std::string kEval = ATELIER_SOURCE_DIR "/tests/eval";

/// A call on the pictures of tests/eval; what comes later among `more` replaces nothing, it is added.
std::vector<std::string> words(const std::string& protocol, const std::string& out,
                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> all{"eval",
                               "--protocol",
                               protocol,
                               "--generated",
                               kEval + "/pictures/generated",
                               "--references",
                               kEval + "/pictures/references",
                               "--prompts",
                               kEval + "/references/sheet.yaml",
                               "--encoder",
                               "clip=" + kEval + "/models/clip_tiny",
                               "--out",
                               out};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Same structure, same texts, numbers within `tolerance`.
void check_same(const Json& found, const Json& wanted, const std::string& path) {
  if (wanted.is_number()) {
    INFO(path << ": " << found.dump() << " instead of " << wanted.dump());
    REQUIRE(found.is_number());
    CHECK(std::abs(found.get<double>() - wanted.get<double>()) <= 1e-5);
  } else if (wanted.is_array()) {
    INFO(path);
    REQUIRE(found.is_array());
    REQUIRE(found.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) check_same(found[i], wanted[i], fmt::format("{}[{}]", path, i));
  } else if (wanted.is_object()) {
    for (const auto& [key, value] : wanted.items()) {
      INFO(path << "." << key << " of " << found.dump());
      REQUIRE(found.contains(key));
      check_same(found.at(key), value, path + "." + key);
    }
  } else {
    INFO(path);
    CHECK(found == wanted);
  }
}

std::vector<float> floats_of(const atelier::TensorView& view) {
  std::vector<float> values(view.bytes.size() / sizeof(float));
  std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  return values;
}

std::string bytes_in(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void check_refused(const std::vector<std::string>& call, const std::string& out, const std::string& mention) {
  const auto done = run_atelier(call);
  INFO(done.err);
  CHECK(done.status == 1);
  CHECK_THAT(done.err, Catch::Contains(mention));
  CHECK(std::ranges::count(done.err, '\n') == 1);
  CHECK_FALSE(fs::exists(out));
}

}  // namespace

TEST_CASE("atelier eval gives the scores of an independent program, in every table, with the same bytes each time",
          "[study][eval]") {
  const std::string protocol = GENERATE("ti_code", "ti_paper");
  const TemporaryFolder folder;
  const std::string first = folder / "first.json", second = folder / "second.json";
  const auto done = run_atelier(words(protocol, first, {"--pairs"}));
  INFO(done.err);
  REQUIRE(done.status == 0);
  const Json scores = atelier::read_json_file(first);
  CHECK(scores.at("schema") == "atelier.scores/1");
  CHECK(scores.at("name") == "generated");
  CHECK(scores.at("protocol") == protocol);
  const Json wanted = atelier::read_json_file(kEval + "/references/expected.json").at(protocol);
  check_same(scores, wanted, protocol);
  REQUIRE(run_atelier(words(protocol, second, {"--pairs"})).status == 0);
  CHECK(bytes_in(first) == bytes_in(second));
}

TEST_CASE("Every other protocol scores pictures as transformers and Pillow do, and derives every table of them",
          "[study][eval]") {
  const std::string encoders = ATELIER_SOURCE_DIR "/tests/parity/models/image_encoders";
  const std::string dino = "dino=" + encoders + "/dino";
  const std::vector<std::string> masks{"--masks", kEval + "/pictures/masks"};
  const auto [protocol, more] = GENERATE_COPY(table<std::string, std::vector<std::string>>(
      {{"dreambooth", {"--encoder", dino}},
       {"textreg", {}},
       {"cc101", {"--encoder", dino}},
       {"dreambench++", {"--encoder", dino, "--encoder", "dinov2=" + encoders + "/dinov2", "--set", "pos_interp=size"}},
       {"catversion", {}},
       {"catversion_masked", masks},
       {"catversion_masked, removed", {"--removed", kEval + "/pictures/removed"}},
       {"core_masked", {"--encoder", dino, masks[0], masks[1]}},
       {"dco",
        {"--encoder", "siglip=" + encoders + "/siglip_full", "--text-features",
         "siglip=" + kEval + "/references/siglip_texts.safetensors", "--set", "pos_interp=size"}}}));
  const TemporaryFolder folder;
  const std::string out = folder / "scores.json";
  auto call = words(protocol.substr(0, protocol.find(',')), out, more);
  call[8] = kEval + "/references/protocol_sheet.yaml";
  if (protocol == "dco") call[10] = "dinov2=" + encoders + "/dinov2";
  const auto done = run_atelier(call);
  INFO(done.err);
  REQUIRE(done.status == 0);
  const Json wanted = atelier::read_json_file(kEval + "/references/protocols.json").at(protocol);
  check_same(atelier::read_json_file(out), wanted, protocol);
}

TEST_CASE("The vectors that --features-out writes are transformers', of whole pictures and of foregrounds",
          "[study][eval]") {
  const TemporaryFolder folder;
  auto call = words("catversion_masked", folder / "scores.json",
                    {"--masks", kEval + "/pictures/masks", "--features-out", folder / "deep/features"});
  call[8] = kEval + "/references/protocol_sheet.yaml";
  const auto done = run_atelier(call);
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto found = atelier::read_safetensors(folder / "deep/features/clip.safetensors");
  const auto wanted = atelier::read_safetensors(kEval + "/references/features.safetensors");
  CHECK(found.tensors.size() == 4);
  for (const auto& [name, view] : wanted.tensors) {
    INFO(name);
    CHECK(Json::parse(found.metadata.at(name)) == Json::parse(wanted.metadata.at(name)));
    REQUIRE(found.tensors.at(name).shape == view.shape);
    const auto ours = floats_of(found.tensors.at(name)), theirs = floats_of(view);
    for (std::size_t i = 0; i < theirs.size(); ++i) REQUIRE(ours[i] == Approx(theirs[i]).epsilon(1e-4).margin(1e-4));
  }
}

TEST_CASE("A picture that cannot be decoded is a row without scores, and the others keep theirs", "[study][eval]") {
  const TemporaryFolder folder;
  const fs::path generated = folder / "generated";
  fs::copy(kEval + "/pictures/generated", generated, fs::copy_options::recursive);
  fs::resize_file(generated / "cat2/moon/001.png", 100);
  const std::string out = folder / "scores.json";
  auto call = words("ti_code", out, {"--pairs"});
  call[4] = generated.string();
  const auto done = run_atelier(call);
  INFO(done.err);
  REQUIRE(done.status == 0);
  const Json scores = atelier::read_json_file(out);
  const Json wanted = atelier::read_json_file(kEval + "/references/expected.json").at("ti_code");
  for (std::size_t i = 0; i < wanted["images"].size(); ++i) {
    const Json& row = scores["images"][i];
    const bool damaged = row["file"] == "cat2/moon/001.png";
    CHECK(row["status"] == (damaged ? "decode_error" : "ok"));
    if (!damaged) check_same(row["scores"], wanted["images"][i]["scores"], "images");
    for (const auto& [name, value] : row["scores"].items()) CHECK(value.is_null() == damaged);
  }
  const Json& subject = scores["concepts"][0];
  CHECK(subject["miss_rate"].get<double>() == Approx(1.0 / subject["n_images"].get<double>()));
  CHECK(scores["method"]["clip_i"]["n_images"] == wanted["images"].size() - 1);
}

TEST_CASE("Nothing is left of the vectors where a scoring fails", "[study][eval]") {
  const TemporaryFolder folder;
  const fs::path references = folder / "references";
  fs::copy(kEval + "/pictures/references", references, fs::copy_options::recursive);
  fs::resize_file(references / "cat2/00.png", 100);
  const std::string out = folder / "scores.json";
  auto call = words("ti_code", out, {"--features-out", folder / "features"});
  call[6] = references.string();
  check_refused(call, out, "00.png");
  CHECK_FALSE(fs::exists(folder / "features"));
  fs::create_directories(folder / "taken/clip.safetensors");
  check_refused(words("ti_code", out, {"--features-out", folder / "taken"}), out, "--features-out");
}

TEST_CASE("The edit phrase alone is compared with a picture under catversion, and overall is of the two means",
          "[study][eval]") {
  const TemporaryFolder folder;
  const std::string out = folder / "scores.json", sheet = folder / "sheet.yaml";
  std::ofstream(sheet) << "schema: eval_sheet/1\nconcepts: [{name: cat2, class: cat}]\nprompts:\n"
                          "  - {id: moon, text: \"A photo of {} on the moon\", edit: \"on the moon\"}\n"
                          "  - {id: oil, text: \"An oil painting of {}\", edit: \"An oil painting\"}\n";
  auto call = words("catversion", out, {"--features-out", folder / "features"});
  call[8] = sheet;
  const auto done = run_atelier(call);
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK_THAT(done.err, Catch::Contains("ignored"));  // dog6, and cat2's pictures of another prompt
  const Json scores = atelier::read_json_file(out);
  CHECK(scores["sets"][0]["text"] == "on the moon");
  CHECK(scores["method"]["clip_i"]["se"].is_null());
  const double image = scores["method"]["clip_i"]["mean"], text = scores["method"]["clip_t"]["mean"];
  if (image >= 0 && text >= 0) {
    CHECK(scores["method"]["overall"]["mean"].get<double>() == Approx(std::sqrt(image * text)).epsilon(1e-12));
  } else {
    CHECK(scores["method"]["overall"]["mean"].is_null());
  }
  CHECK(fs::exists(folder / "features/clip.safetensors"));
}

TEST_CASE("An error of atelier eval is one line that names the option, the file or the key, and leaves nothing",
          "[study][eval]") {
  const TemporaryFolder folder;
  const std::string out = folder / "scores.json";
  check_refused(words("ti_kode", out), out, "ti_code");
  check_refused(words("ti_code", out, {"--set", "text_rule=classs"}), out, "--set text_rule");
  check_refused(words("ti_code", out, {"--set", "sise=3"}), out, "did you mean size?");
  check_refused(words("ti_code", out, {"--masks", kEval + "/pictures"}), out, "--masks");
  check_refused(words("catversion_masked", out), out, "--masks");
  check_refused(words("dreambooth", out), out, "none for dino");
  check_refused(words("class_drift", out), out, "whole sets of pictures");
  check_refused(words("cc101", out, {"--encoder", "dino=" + kEval + "/models/clip_tiny"}), out, "score_text");
}
