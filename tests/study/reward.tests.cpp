// DCO through the programs: reward guidance as an axis of a study, and the authors' files.
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "tests/study/study_place.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string dco_method() {
  return std::string("  dco: {base: ") + ATELIER_SOURCE_DIR +
         "/experiments/demo/base, options: {resolution: 32, rank: 4, initializer_token: man, max_train_steps: 4, "
         "text_encoder_lr: 0.1, dcoloss_beta: 1.0, subject: {learning_rate: 0.02}}}";
}

std::vector<std::string> with_rewards(const std::string& scales) {
  return {"--set", "sampler={scheduler: euler, steps: 2, guidance: 3.0, reward_guidance: " + scales +
                       ", settings: {timestep_spacing: leading, steps_offset: 1}}"};
}

/// Reward -> the means of its row; "" for rows without that axis.
std::map<std::string, json> rows_of(const json& table) {
  std::map<std::string, json> rows;
  for (const auto& row : table["rows"]) {
    json means = json::array();
    for (const auto& cell : row["cells"]) means.push_back(cell["mean"]);
    const json axis = row["axes"].value("reward_guidance", json());
    rows[row["kind"] == "anchor" ? row["label"].get<std::string>() : axis.is_null() ? "" : axis.dump()] = means;
  }
  return rows;
}

}  // namespace

TEST_CASE("A study sweeps reward guidance over one training; 0 is the base model, none another sampler",
          "[study][reward]") {
  const StudyPlace place(dco_method());
  const auto first = place.run(with_rewards("3"));
  INFO(first.err);
  REQUIRE(first.status == 0);
  auto options = with_rewards("[null, 0, 3]");
  options.emplace_back("--json");
  const auto counts = json::parse(place.command("plan", options).out)["counts"];
  CHECK(counts["runs"] == 3 + 2);
  CHECK(counts["train"]["jobs"] == 0);
  CHECK(counts["train"]["steps"] == 0);
  CHECK(counts["sample"]["jobs"] == 2);  // without reward and with 0; that of 3 and the anchors are there

  const auto done = place.run(with_rewards("[null, 0, 3]"));
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto rows = rows_of(json::parse(place.ask("table", {"--as", "json"}).out));
  REQUIRE(rows.contains("\"none\""));
  REQUIRE(rows.contains("0.0"));
  REQUIRE(rows.contains("3.0"));
  CHECK(rows.at("0.0") == rows.at("class word (base)"));
  CHECK(rows.at("\"none\"") != rows.at("0.0"));
  CHECK(rows.at("3.0") != rows.at("0.0"));
  CHECK(rows.at("3.0") != rows.at("\"none\""));
}

TEST_CASE("The authors' files of DCO sample like the artifact that they were written from, one by one and as a folder",
          "[study][dco]") {
  const TemporaryFolder folder;
  const std::string model = ATELIER_SOURCE_DIR "/tests/parity/models/sdxl";
  const std::string store = folder / "store";
  const auto trained = run_atelier(
      {"train", "dco", "--images", ATELIER_SOURCE_DIR "/tests/eval/pictures/references/cat2", "--class", "man",
       "--base", model, "--set", "resolution=64", "rank=2", "max_train_steps=2", "subject.learning_rate=0.02",
       "text_encoder_lr=0.1", "placeholder_token=<x>", "--out", (folder / "trained").string(), "--store", store});
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  const auto status = json::parse(run_atelier({"status", "--store", store, "--json"}).out);
  const std::string authors = folder / "authors";
  REQUIRE(run_atelier({"export", status.at(0).at("study"), "--artifacts", "--form", "authors", "--out", authors,
                       "--store", store})
              .status == 0);
  fs::path place;
  for (const auto& entry : fs::recursive_directory_iterator(authors)) {
    if (entry.path().filename() == "pytorch_lora_weights.safetensors") place = entry.path().parent_path();
  }
  REQUIRE(fs::exists(place / "learned_embeds.safetensors"));
  const auto latents = [&](const std::string& name, std::vector<std::string> more) {
    const std::string file = folder / (name + ".safetensors");
    more.insert(more.begin(), {"sample", "--model", model, "--prompt", "a photo of <x>", "--base-prompt",
                               "a photo of man", "--reward-guidance", "3", "--steps", "2", "--size", "64x64",
                               "--latents-out", file, "--out", (folder / name).string()});
    const auto sampled = run_atelier(more);
    INFO(sampled.err);
    CHECK(sampled.status == 0);
    return atelier::read_text_file(file);
  };
  const auto ours = latents("ours", {"--artifact", (folder / "trained").string() + "/artifact.safetensors"});
  CHECK(latents("files", {"--artifact", place / "pytorch_lora_weights.safetensors", "--artifact",
                          place / "learned_embeds.safetensors", "--placeholder", "<x>"}) == ours);
  CHECK(latents("folder", {"--artifact", place, "--placeholder", "<x>"}) == ours);
  CHECK(latents("none", {}) != ours);
}
