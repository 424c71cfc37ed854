// "My subject in my style" from the file to the table, and against `atelier merge`.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "framework/store/store.h"
#include "tests/study/study_place.h"

namespace fs = std::filesystem;
using atelier::Json;

namespace {

const std::string kDemoBase = ATELIER_SOURCE_DIR "/experiments/demo/base";

std::string merging_methods() {
  const std::string common = ", text_encoder_lr: 0.1, dcoloss_beta: 1.0, ";
  return "  mine: {method: dco, base: " + kDemoBase +
         ", concepts: [cat2], options: {resolution: 32, rank: 3, initializer_token: man, max_train_steps: 2" + common +
         "subject: {learning_rate: 0.02}}}\n"
         "  style: {method: dco, preset: style, base: " +
         kDemoBase +
         ", concepts: [ink], options: {resolution: 32, rank: 2, max_train_steps: 2, dcoloss_beta: 1.0, "
         "style: {learning_rate: 0.02}}}\n"
         "  both: {merge: {subject: mine, style: style, weights: [1, 0.8]}}\n"
         "  thin: {merge: {subject: mine, style: style, weights: [1, 0.8], as: svd, rank: 3, "
         "phrase: \"{subject}, {style}\"}}";
}

/// The study's concepts, a subject and a style, and what a call changes besides.
std::vector<std::string> with_styles(std::vector<std::string> more = {}) {
  const std::string pictures = ATELIER_SOURCE_DIR "/tests/eval/pictures/references/";
  std::vector<std::string> options{"--set", "concepts=[{name: cat2, path: " + pictures +
                                                "cat2, class: man, initializer: man}, {name: ink, path: " + pictures +
                                                "dog6, class: ink drawing, kind: style}]"};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

Json manifest_of(const StudyPlace& place) {
  for (const auto& entry : fs::directory_iterator(fs::path(place.store()) / "manifests")) {
    return atelier::read_json_file(entry.path());
  }
  return {};
}

std::vector<Json> merge_jobs(const Json& manifest) {
  std::vector<Json> found;
  for (const auto& job : manifest.at("jobs")) {
    if (job.at("kind") == "merge") found.push_back(job);
  }
  return found;
}

std::string object_of(const StudyPlace& place, const Json& key) {
  const auto store = atelier::Store::open(place.store());
  return store.object_path(store.find(key.get<std::string>())->object).string();
}

bool same_bytes(const atelier::TensorView& a, const atelier::TensorView& b) {
  return a.dtype == b.dtype && a.numel() == b.numel() && a.bytes.size() == b.bytes.size() &&
         std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
}

std::vector<float> latents_with(const StudyPlace& place, const std::vector<std::string>& artifacts) {
  const auto out = place.folder() / "latents.safetensors";
  std::vector<std::string> words{"sample",
                                 "--model",
                                 kDemoBase,
                                 "--prompt",
                                 "a photo of <dco>",
                                 "--steps",
                                 "2",
                                 "--size",
                                 "64x64",
                                 "--threads",
                                 "1",
                                 "--seed",
                                 "3",
                                 "--scheduler",
                                 "ddim",
                                 "--guidance",
                                 "3",
                                 "--out",
                                 place.folder() / "pictures",
                                 "--latents-out",
                                 out};
  for (const auto& artifact : artifacts) words.insert(words.end(), {"--artifact", artifact});
  const auto sampled = run_atelier(words);
  INFO(sampled.err);
  REQUIRE(sampled.status == 0);
  const auto tensors = atelier::read_safetensors(out).tensors;
  const auto& bytes = tensors.at("latents").bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

TEST_CASE("A study merges subjects with styles as atelier merge does, and samples and scores what comes of it",
          "[study][merge]") {
  const StudyPlace place(merging_methods());
  const auto planned = place.command("plan", with_styles());
  INFO(planned.out << planned.err);
  CHECK_THAT(planned.out, Catch::Contains("2 training jobs") && Catch::Contains("to merge: 2 pairs"));
  const auto done = place.run(with_styles());
  INFO(done.out << done.err);
  REQUIRE(done.status == 0);

  const auto merges = merge_jobs(manifest_of(place));
  REQUIRE(merges.size() == 2);
  for (const auto& merge : merges) {
    const auto subject = object_of(place, merge["job"]["subject"]), style = object_of(place, merge["job"]["style"]);
    const fs::path out = place.folder() / ("by_hand_" + merge["job"]["as"].get<std::string>());
    std::vector<std::string> words{"merge", subject, style + ":0.8", "--out", out, "--as", merge["job"]["as"]};
    if (merge["job"]["as"] == "svd") words.insert(words.end(), {"--rank", "3"});
    const auto merged = run_atelier(words);
    INFO(merged.err);
    REQUIRE(merged.status == 0);
    const auto ours = atelier::read_safetensors(object_of(place, merge["outputs"][0]["key"])).tensors;
    const auto theirs = atelier::read_safetensors(out / "pytorch_lora_weights.safetensors").tensors;
    CHECK(ours.size() == theirs.size() + 1);
    for (const auto& [name, tensor] : theirs) {
      INFO(name);
      REQUIRE(ours.contains(name));
      CHECK(same_bytes(ours.at(name), tensor));
    }
    const auto token = atelier::read_safetensors(out / "learned_embeds.safetensors").tensors;
    CHECK(same_bytes(ours.at("text_encoder.token.<dco>"), token.at("<dco>")));
    const auto rank = theirs.at("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight").shape[0];
    CHECK(rank == (merge["job"]["as"] == "svd" ? 3 : 5));
  }

  // Sampled with the merged artifact, and with the two beside each other.
  const auto& merge = merges.front();
  const auto one = latents_with(place, {object_of(place, merge["outputs"][0]["key"])});
  const auto two = latents_with(
      place, {object_of(place, merge["job"]["subject"]), object_of(place, merge["job"]["style"]) + ":0.8"});
  const auto subject = latents_with(place, {object_of(place, merge["job"]["subject"])});
  REQUIRE(one.size() == two.size());
  float gap = 0, change = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    gap = std::max(gap, std::abs(one[i] - two[i]));
    change = std::max(change, std::abs(one[i] - subject[i]));
  }
  CHECK(gap < 1e-4F);
  CHECK(change > 1e-3F);

  const auto table = place.ask("table");
  CHECK_THAT(table.out, Catch::Contains("both style=ink") && Catch::Contains("thin style=ink"));
  const auto status = place.ask("status");
  INFO(status.out);
  CHECK(status.status == 0);
  const auto text = manifest_of(place).dump();
  CHECK_THAT(text, Catch::Contains("<dco> in ink drawing style") && Catch::Contains("<dco>, ink drawing"));

  // Everything is there; another weight merges again and trains nothing.
  CHECK_THAT(place.command("plan", with_styles()).out,
             Catch::Contains("0 training jobs") && !Catch::Contains("to merge"));
  const auto heavier = place.command("plan", with_styles({"--set", "methods.both.merge.weights=[1, 0.5]", "--json"}));
  const auto counts = Json::parse(heavier.out).at("counts");
  CHECK(counts["train"]["jobs"] == 0);
  CHECK(counts["merge"]["jobs"] == 1);
  CHECK(counts["sample"]["jobs"] == 1);
  const auto exported = place.ask("export", {"--artifacts", "--form", "authors", "--out", place.folder() / "authors"});
  INFO(exported.err);
  CHECK(exported.status == 0);

  // As LoRA files for other programs: what was merged, and what it was merged from.
  const fs::path loras = place.folder() / "loras";
  const auto written = place.ask("export", {"--artifacts", "--form", "lora", "--out", loras});
  INFO(written.out << written.err);
  CHECK(written.status == 0);
  CHECK_THAT(written.out, Catch::Contains("4 LoRAs"));
  for (const auto& run : manifest_of(place).at("runs")) {
    if (run["method"] != "both") continue;
    const auto file =
        atelier::read_safetensors(loras / run["id"].get<std::string>() / "pytorch_lora_weights.safetensors");
    const auto by_hand =
        atelier::read_safetensors(place.folder() / "by_hand_concat" / "pytorch_lora_weights.safetensors");
    REQUIRE(file.tensors.size() == by_hand.tensors.size());
    for (const auto& [name, tensor] : by_hand.tensors) CHECK(same_bytes(file.tensors.at(name), tensor));
  }
}
