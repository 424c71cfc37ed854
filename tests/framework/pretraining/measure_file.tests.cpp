#include "framework/pretraining/measure_file.h"

#include <fstream>

#include "framework/core/error.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

QualityFile read(const std::string& text, const std::string& prompts = "") {
  const TemporaryFolder place;
  std::ofstream(place / "quality.yaml") << text;
  std::ofstream(place / "prompts.yaml") << prompts;
  return read_quality_file(place / "quality.yaml");
}

std::string quality_refusal(const std::string& text, const std::string& prompts = "") {
  try {
    static_cast<void>(read(text, prompts));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

const std::string kQualityPrompts =
    "[{prompt: a red cat on a beach, attributes: {class: cat, colour: red, place: beach}}]";
const std::string kQualitySwaps = "[{prompts: [a red cat, a blue cat], attribute: colour, values: [red, blue]}]";
const std::string kLists = "prompts: " + kQualityPrompts + "\nswaps: " + kQualitySwaps + "\n";

std::string swaps(const std::string& pairs) { return "swaps: {changed: 0.8, kept: 0.7, pairs: " + pairs + "}\n"; }

}  // namespace

TEST_CASE("a quality file's values and defaults", "[pretraining][measure]") {
  const QualityFile file = read(
      "vae: {scenes: test, count: 50, psnr: 27}\n"
      "clip: {scenes: test, retrieval: {captions: 20, top1: 0.9}, instances: {auc: 0.8}}\n"
      "segmenter: {scenes: fresh, iou: 0.8}\n"
      "judge: {scenes: fresh, accuracy: 0.98}\n"
      "samples: {per_prompt: 3, judged: {place: 0.95, class: 0.8}, prompts: prompts.yaml}\n" +
          swaps("prompts.yaml") + "sampler: {steps: 20, guidance_scale: 3, seed: 7}\n",
      kLists);
  CHECK(file.vae->psnr == 27.0);
  CHECK(file.vae->on.count == 50);
  CHECK(file.clip->captions == 20);
  CHECK(file.clip->draws == 10);
  CHECK(file.clip->top1 == 0.9);
  CHECK(file.clip->auc == 0.8);
  CHECK(file.clip->on.count == 0);
  CHECK(file.segmenter->threshold == 0.5);
  CHECK(file.judge->on.scenes == "fresh");
  REQUIRE(file.samples->prompts.size() == 1);
  CHECK(file.samples->prompts[0].prompt == "a red cat on a beach");
  CHECK(file.samples->prompts[0].attributes.at("place") == "beach");
  CHECK(file.samples->judged == std::map<std::string, double>{{"class", 0.8}, {"place", 0.95}});
  REQUIRE(file.swaps->pairs.size() == 1);
  CHECK(file.swaps->pairs[0].attribute == "colour");
  CHECK(file.swaps->pairs[0].from == "a red cat");
  CHECK(file.swaps->pairs[0].to == "a blue cat");
  CHECK(file.swaps->pairs[0].from_value == "red");
  CHECK(file.swaps->pairs[0].to_value == "blue");
  CHECK(file.swaps->kept == 0.7);
  CHECK(file.sampler.steps == 20);
  CHECK(file.sampler.scheduler == "ddim");
  CHECK(file.sampler.batch == 16);
}

TEST_CASE("a section that is left out is not measured", "[pretraining][measure]") {
  const QualityFile file = read("vae: {scenes: test, psnr: 27}\n");
  CHECK(file.vae.has_value());
  CHECK_FALSE(file.clip.has_value());
  CHECK_FALSE(file.swaps.has_value());
}

TEST_CASE("a quality file with faults is refused with all of them", "[pretraining][measure]") {
  const std::string faults = quality_refusal(
      "judg: {}\n"
      "vae: {scenes: test, count: 0}\n"
      "judge: {scenes: test, accuracy: 98}\n"
      "sampler: {steps: many}\n");
  CHECK_THAT(faults, Contains("quality.yaml:1:1: unknown key \"judg\"") && Contains("did you mean judge?"));
  CHECK_THAT(faults, Contains("quality.yaml:2:28: vae.count: the number 0; expected an integer from 1"));
  CHECK_THAT(faults, Contains("no key \"vae.psnr\""));
  CHECK_THAT(faults, Contains("judge.accuracy: 98; expected a number from 0 to 1; write a share, not a percentage"));
  CHECK_THAT(faults, Contains("sampler.steps: the text \"many\""));
}

TEST_CASE("what is no mapping or no list is said to be none", "[pretraining][measure]") {
  CHECK_THAT(quality_refusal("[vae]\n"), Contains("a list; expected a mapping with vae"));
  CHECK_THAT(quality_refusal("vae: 27\n"), Contains("vae: the number 27; expected a mapping with scenes"));
  CHECK_THAT(quality_refusal("samples: {prompts: [], judged: {class: 1}}\n"),
             Contains("samples.prompts: an empty list; expected a list, or the name of a file with one"));
  CHECK_THAT(quality_refusal("samples: {prompts: [a cat], judged: {class: 1}}\n"),
             Contains("samples.prompts[0]: the text \"a cat\"; expected a mapping with prompt, attributes"));
  CHECK_THAT(quality_refusal("samples: {prompts: " + kQualityPrompts + ", judged: [class]}\n"),
             Contains("samples.judged: a list; expected a mapping of attributes to shares"));
  CHECK_THAT(quality_refusal("samples: {prompts: [{prompt: a cat, attributes: {}}], judged: {class: 1}}\n"),
             Contains("samples.prompts[0].attributes"));
  CHECK_THAT(quality_refusal("samples: {prompts: [{prompt: a cat, attributes: {class: 3}}], judged: {class: 1}}\n"),
             Contains("samples.prompts[0].attributes.class: the number 3; expected a text; put it in quotes"));
}

TEST_CASE("faults of a list's own file name that file", "[pretraining][measure]") {
  const std::string text = "samples: {prompts: prompts.yaml, judged: {class: 0.8}}\n";
  CHECK(quality_refusal(text, kLists) == "accepted");
  CHECK_THAT(quality_refusal(text, "prompts: [{promt: a cat, attributes: {class: cat}}]"),
             Contains("prompts.yaml:1:12: prompts[0]: unknown key \"promt\"") && Contains("did you mean prompt?"));
  CHECK_THAT(quality_refusal(text, "prompts: x"),
             Contains("prompts.yaml:1:10: prompts: the text \"x\"; expected a list"));
  CHECK_THAT(quality_refusal(text, kQualityPrompts),
             Contains("prompts.yaml:1:1: a list; expected a mapping with prompts, swaps"));
  CHECK_THAT(quality_refusal(text, "swaps: " + kQualitySwaps), Contains("no key \"prompts\""));
  CHECK_THROWS_WITH(read("samples: {prompts: nowhere.yaml, judged: {class: 0.8}}\n"), Contains("nowhere.yaml"));
}

TEST_CASE("a word swap has two prompts, an attribute and its two values", "[pretraining][measure]") {
  CHECK(quality_refusal(swaps(kQualitySwaps)) == "accepted");
  CHECK_THAT(quality_refusal(swaps("[{prompts: [a, b, c], attribute: colour, values: [red, blue]}]")),
             Contains("swaps.pairs[0].prompts: 3 texts; expected two, which differ"));
  CHECK_THAT(quality_refusal(swaps("[{prompts: [a, b], attribute: colour, values: [red, red]}]")),
             Contains("swaps.pairs[0].values: \"red\" twice"));
  CHECK_THAT(quality_refusal(swaps("[{prompts: [a, b], values: [red, blue]}]")),
             Contains("no key \"swaps.pairs[0].attribute\""));
}

TEST_CASE("word swaps can be cut to the first of each attribute", "[pretraining][measure]") {
  const std::string pairs =
      "[{prompts: [a, b], attribute: colour, values: [red, blue]}, {prompts: [c, d], attribute: colour, values: [red, "
      "blue]}, {prompts: [e, f], attribute: class, values: [cat, dog]}]";
  const auto all = read(swaps(pairs)).swaps->pairs;
  const auto first = read("swaps: {changed: 0, kept: 0, each: 1, pairs: " + pairs + "}\n").swaps->pairs;
  CHECK(all.size() == 3);
  REQUIRE(first.size() == 2);
  CHECK(first[0].from == "a");
  CHECK(first[1].from == "e");
}

TEST_CASE("the pocket world's quality file can be read", "[pretraining][measure]") {
  const auto file = read_quality_file(ATELIER_SOURCE_DIR "/experiments/pocket/quality.yaml");
  CHECK(file.vae->psnr == 27.0);
  CHECK(file.clip->top1 == 0.9);
  CHECK(file.clip->auc == 0.9);
  CHECK(file.clip->captions == 100);
  CHECK(file.segmenter->iou == 0.8);
  CHECK(file.judge->accuracy == 0.98);
  CHECK(file.samples->judged == std::map<std::string, double>{{"class", 0.8}, {"colour", 0.85}, {"place", 0.95}});
  CHECK(file.swaps->changed == 0.8);
  CHECK(file.swaps->kept == 0.8);
  CHECK(file.samples->prompts.size() == 60);
  CHECK(file.swaps->pairs.size() == 30);
}
