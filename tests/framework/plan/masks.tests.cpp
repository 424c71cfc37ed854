// Masks in a study: their jobs and keys, and the prompts of protocols that want more of them than a template.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/plan/concept_check.h"
#include "framework/store/store.h"
#include "tests/framework/plan/study_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;

namespace {

/// With a segmenter; the cat's first photo has a mask of its own.
class MaskWorld : public StudyWorld {
 public:
  MaskWorld() {
    write("segmenter/config.json", R"({"model_type": "clipseg"})");
    write("segmenter/model.safetensors", no_tensors("s"));
    write("dino/config.json", R"({"model_type": "vit"})");
    write("dino/model.safetensors", no_tensors("d"));
    photo("concepts/cat/masks/0.png", 7);
    write("concepts/cat/concept.yaml", "class: cat\nphotos: {0.png: {mask: masks/0.png}}\n");
  }

  [[nodiscard]] Json evaluate(const std::string& evaluations, const std::string& encoders = ", segmenter: segmenter",
                              const std::string& subject = "cat") {
    return plan("study: one\nconcepts: [{name: " + subject + ", path: concepts/" + subject +
                "}]\nmethods: {textreg: {base: base, max_train_steps: 60, ti_train_step: 20}}\nevaluate: " +
                evaluations + "\nencoders: {clip: clip, dino: dino" + encoders + "}\n");
  }
};

std::set<std::string> published_keys(const Json& manifest, const std::string& kind) {
  std::set<std::string> keys;
  for (const auto& job : jobs(manifest, kind)) {
    for (const auto& output : job.at("outputs")) {
      CHECK(output.at("key") == key_of(output.at("description")));
      keys.insert(output.at("key").get<std::string>());
    }
  }
  return keys;
}

const std::string kMasked = "{protocol: core_masked, images: 2, prompts: dreambooth/evaluation_object";
const std::string kPlain = "{protocol: dreambooth, images: 2}";

}  // namespace

TEST_CASE("a masked protocol adds masks to pictures that other protocols want too, and nothing before them",
          "[plan][masks]") {
  MaskWorld world;
  const auto plain = world.evaluate("[" + kPlain + "]");
  const auto both = world.evaluate("[" + kPlain + ", " + kMasked + "}]");
  for (const auto* kind : {"train", "sample"}) CHECK(published_keys(plain, kind) == published_keys(both, kind));
  for (const auto& key : published_keys(plain, "score")) CHECK(published_keys(both, "score").contains(key));
  // Three runs with 25 prompts each, and the photos once.
  const auto masks = jobs(both, "mask");
  REQUIRE(masks.size() == 4);
  CHECK(published_keys(both, "mask").size() == 3 * 25 + 1);
  const auto counts = plan_counts(both, nullptr);
  CHECK(counts["mask"] == Json({{"jobs", 4}, {"images", 3 * 25 * 2 + 2}}));
  CHECK(counts["score"]["jobs"] == 6);
  const auto scored = jobs(both, "score").back();
  CHECK(scored["needs"].size() == 3);
  CHECK(scored["job"]["reference_masks"] == masks[1]["outputs"][0]["key"]);
  CHECK(scored["job"]["sets"][0].contains("masks"));
  CHECK(both["protocols"]["core_masked"]["changes_appearance"].size() == 5);
}

TEST_CASE("the threshold is the score's, so it makes no other masks; the text looked for does", "[plan][masks]") {
  MaskWorld world;
  const auto usual = world.evaluate("[" + kMasked + "}]");
  const auto strict = world.evaluate("[" + kMasked + ", threshold: 200}]");
  CHECK(published_keys(usual, "mask") == published_keys(strict, "mask"));
  CHECK(published_keys(usual, "score") != published_keys(strict, "score"));
  const auto other = world.evaluate("[" + kMasked + ", mask_text: \"the {} in front\"}]");
  CHECK(jobs(other, "mask")[0]["job"]["text"] == "the cat in front");
  for (const auto& key : published_keys(usual, "mask")) CHECK_FALSE(published_keys(other, "mask").contains(key));
}

TEST_CASE("photos are masked by their files where they have some, and their keys say by which", "[plan][masks]") {
  MaskWorld world;
  const auto photos = [&](const std::string& rule) {
    return jobs(world.evaluate("[" + kMasked + ", photo_masks: " + rule + "}]"), "mask")[1]["outputs"][0];
  };
  const auto by_default = photos("auto");
  CHECK(by_default["photos"][0].contains("mask"));
  CHECK_FALSE(by_default["photos"][1].contains("mask"));
  CHECK(by_default["description"]["photos"][1]["mask"].is_null());
  CHECK(by_default["description"]["segmenter"].is_string());
  CHECK_FALSE(photos("segmenter")["photos"][0].contains("mask"));
  CHECK(photos("alpha")["description"]["segmenter"].is_null());
  CHECK_THAT(
      message([&] { photos("files"); }),
      Contains("study.yaml:4:12: evaluate core_masked: photo_masks: files: the photo 1.png of cat without a mask"));
}

TEST_CASE("what a masked protocol lacks is an error at its place", "[plan][masks]") {
  MaskWorld world;
  const auto fault = [&](const std::string& evaluations, const std::string& encoders = ", segmenter: segmenter",
                         const std::string& subject = "cat") {
    return message([&] { static_cast<void>(world.evaluate(evaluations, encoders, subject)); });
  };
  CHECK_THAT(fault("[" + kMasked + "}]", ""), Contains("study.yaml:4:12: evaluate core_masked: masks: ") &&
                                                  Contains("CIDAS/clipseg-rd64-refined") &&
                                                  Contains("name it under `encoders: {segmenter: …}`"));
  CHECK_THAT(fault("[" + kMasked + "}]", ", segmenter: clip"), Contains("the model type \"clip\" of clip"));
  CHECK_THAT(fault("[" + kMasked + ", photo_masks: hand}]"), Contains("expected one of auto, files, alpha, segmenter"));
  CHECK_THAT(fault("[{protocol: dreambooth, mask_text: a}]"), Contains("unknown key \"mask_text\""));
  CHECK_THAT(
      fault("[{protocol: catversion, images: 1, prompts: textreg/in_distribution}]"),
      Contains("study.yaml:4:12: evaluate catversion: the prompt list textreg/in_distribution without edit phrases"));
  CHECK_THAT(fault("[{protocol: cc101, images: 1}]"), Contains("the concept cat without prompt_set"));
  CHECK_THAT(fault("[{protocol: dreambooth, encoders: [dinov2]}]"),
             Contains("expected some of the protocol's: clip, dino"));
}

TEST_CASE("edit phrases, texts to score and lists that a concept names reach the scoring job", "[plan][masks]") {
  MaskWorld world;
  const auto first = [](const Json& manifest) { return jobs(manifest, "score").front().at("job").at("sets").at(0); };
  const auto edited = world.evaluate("[{protocol: catversion, images: 1}]");
  CHECK(first(edited)["text"] == "running in time square");
  CHECK(jobs(edited, "sample").front()["outputs"][0]["template"] == "{} running in time square");
  world.write("concepts/cat/concept.yaml", "class: cat\nprompt_set: cat\n");
  const auto listed = world.evaluate("[{protocol: cc101, images: 1}]");
  CHECK(first(listed)["prompt_id"] == "customconcept101/cat/0");
  CHECK(first(listed)["text"] == jobs(listed, "sample").front()["outputs"][0]["template"]);
  const auto chosen = world.evaluate("[{protocol: dreambooth, images: 1, encoders: [clip]}]");
  CHECK(jobs(chosen, "score").front()["job"]["encoders"].size() == 1);
  CHECK(chosen["protocols"]["dreambooth"]["changed"]["encoders"] == "clip");
}

TEST_CASE("concepts check looks at masks: size, content and foreground", "[plan][masks]") {
  MaskWorld world;
  const auto check = [&] { return to_text(check_concepts(world.path() / "concepts", "", world.reader, data())); };
  CHECK_THAT(check(), Contains("fault: ") && Contains("masks/0.png"));  // colours
  auto mask = make_raster<Mask>({12, 8});
  write_png(world.path() / "concepts/cat/masks/0.png", mask);
  CHECK_THAT(check(), Contains("0.png: its mask has no foreground"));
  mask.pixels[3] = 255;
  write_png(world.path() / "concepts/cat/masks/0.png", mask);
  CHECK_THAT(check(), Contains("class \"cat\", 1 masks") && !Contains("fault"));
  write_png(world.path() / "concepts/cat/masks/0.png", make_raster<Mask>({8, 12}));
  CHECK_THAT(check(), Contains("0.png: its mask has 8 x 12 pixels; expected 12 x 8"));
}
