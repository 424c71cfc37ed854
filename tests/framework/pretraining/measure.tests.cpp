// The whole measurement on a base of toy size. Where a network's answer is put into its weights, the expected number is
// worked out by hand.
#include "framework/pretraining/measure.h"

#include <ATen/ops/zeros_like.h>

#include <fstream>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "framework/pretraining/scene_set.h"
#include "framework/tensor/tensor_io.h"
#include "tests/framework/pretraining/training_support.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace fs = std::filesystem;

namespace {

const std::string kPrompts =
    "[{prompt: a red cat in a city, attributes: {class: cat, colour: red, place: city}},"
    " {prompt: a blue house in a beach, attributes: {class: house, colour: blue, place: beach}},"
    " {prompt: a red house in a beach, attributes: {class: house, colour: red, place: beach}}]";
const std::string kSwaps =
    "[{prompts: [a red cat, a blue cat], attribute: colour, values: [red, blue]},"
    " {prompts: [a blue house, a blue cat], attribute: class, values: [house, cat]}]";

/// A base whose components were trained for a few steps, once for all tests.
struct Place {
  TemporaryFolder folder;
  TrainingPlace training{folder.path()};

  Place() {
    for (const char* component : {"vae", "clip", "unet", "segmenter", "judge"}) {
      static_cast<void>(train(training.request(component, 2)));
    }
  }

  /// Replaces tensors whose name has this prefix and one of these ends.
  void change(const std::string& component, const std::string& prefix, const std::function<void(Tensor&)>& how) const {
    const fs::path file = training.out / component / "model.safetensors";
    NamedTensors content = read_named_tensors(file);
    TensorMap own;
    for (auto& [name, tensor] : content.tensors) {
      Tensor copy = tensor.clone();
      if (name.starts_with(prefix)) how(copy);
      own.emplace(name, copy);
    }
    write_named_tensors(file, {.tensors = own, .metadata = {}});
  }

  [[nodiscard]] MeasureRequest request(const std::string& quality) const {
    std::ofstream(folder / "quality.yaml") << quality;
    return {.quality = folder / "quality.yaml",
            .data = training.data,
            .base = training.out,
            .placement = {},
            .only = {},
            .pictures = {}};
  }
};

const Place& place() {
  static const Place place;
  return place;
}

std::map<std::string, Measurement> by_name(const MeasureResult& result) {
  std::map<std::string, Measurement> named;
  for (const auto& measured : result.measurements) named.emplace(measured.name, measured);
  return named;
}

std::map<std::string, Measurement> measure(const std::string& quality) {
  return by_name(measure_base(place().request(quality)));
}

std::string refusal(const std::string& quality) {
  try {
    static_cast<void>(measure(quality));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a constant judge is right where the scenes and prompts have that value", "[pretraining][measure]") {
  // All weights of the heads 0, bias 1 for value 0: cat, red, beach.
  place().change("judge", "heads.", [](Tensor& tensor) {
    tensor.zero_();
    if (tensor.dim() == 1) tensor[0] = 1.0;
  });
  const auto found = measure(
      "judge: {scenes: train, accuracy: 0.5}\n"
      "samples: {per_prompt: 2, judged: {class: 0.3, place: 0.7}, prompts: " +
      kPrompts + "}\n" + "swaps: {changed: 0.1, kept: 0.9, pairs: " + kSwaps + "}\n" +
      "sampler: {steps: 2, batch: 4}\n");
  const SceneSet scenes = SceneSet::open(place().training.data / "train");
  double cats = 0.0;
  for (const auto& scene : scenes.scenes()) cats += scene.values[0] == 0 ? 1.0 : 0.0;
  CHECK(found.at("judge.accuracy.class").measured == Approx(cats / static_cast<double>(scenes.size())));
  CHECK(found.at("judge.accuracy.class").count == scenes.size());
  CHECK_FALSE(found.at("judge.accuracy.class").wanted.has_value());
  CHECK(found.at("judge.accuracy").measured ==
        Approx((found.at("judge.accuracy.class").measured + found.at("judge.accuracy.colour").measured +
                found.at("judge.accuracy.place").measured) /
               3.0));
  CHECK(found.at("samples.class").measured == Approx(1.0 / 3.0));  // one prompt of three asks for a cat
  CHECK(found.at("samples.class").ok());
  CHECK(found.at("samples.class").count == 6);
  CHECK(found.at("samples.place").measured == Approx(2.0 / 3.0));
  CHECK_FALSE(found.at("samples.place").ok());
  CHECK(found.at("samples.colour").measured == Approx(2.0 / 3.0));
  CHECK_FALSE(found.at("samples.colour").wanted.has_value());
  CHECK(found.at("swaps.changed").measured == 0.0);
  CHECK_FALSE(found.at("swaps.changed").ok());
  CHECK(found.at("swaps.changed.class").count == 1);
  CHECK(found.at("swaps.kept").measured == 1.0);
  CHECK(found.at("swaps.kept").count == 2);
  CHECK(found.at("swaps.kept.class").measured == 1.0);
  CHECK(found.at("swaps.kept.class").count == 1);  // of the swap of another attribute
}

TEST_CASE("a segmenter that finds everything scores the subject's share", "[pretraining][measure]") {
  place().change("segmenter", "decoder.transposed_convolution.", [](Tensor& tensor) {
    tensor.zero_();
    if (tensor.dim() == 1) tensor.fill_(5.0);  // one logit for all pixels: probability 0.993
  });
  const SceneSet scenes = SceneSet::open(place().training.data / "train");
  const double share = (scenes.masks() >= 128).to(at::kDouble).mean().item<double>();
  CHECK(measure("segmenter: {scenes: train, iou: 0.1}\n").at("segmenter.iou").measured == Approx(share));
  CHECK(measure("segmenter: {scenes: train, iou: 0.1, threshold: 0.995}\n").at("segmenter.iou").measured == 0.0);
}

TEST_CASE("autoencoder and CLIP are measured, the same numbers each time", "[pretraining][measure]") {
  const std::string quality =
      "vae: {scenes: train, count: 20, psnr: 1000}\n"
      "clip: {scenes: train, retrieval: {captions: 4, draws: 3, top1: 0}, instances: {auc: 0}}\n";
  const auto found = measure(quality);
  const auto& psnr = found.at("vae.psnr");
  CHECK(psnr.unit == MeasureUnit::decibels);
  CHECK(psnr.count == 20);
  CHECK(psnr.measured > 0.0);
  CHECK(psnr.measured < 60.0);
  CHECK_FALSE(psnr.ok());
  CHECK(found.at("clip.top1").count == 12);
  CHECK(found.at("clip.top1").measured >= 0.0);
  CHECK(found.at("clip.instance_auc").count == 12);  // instances of two pictures
  CHECK(found.at("clip.instance_auc").measured <= 1.0);
  for (const auto& [name, again] : measure(quality)) CHECK(again.measured == found.at(name).measured);
}

TEST_CASE("contact sheets show what was measured", "[pretraining][measure]") {
  MeasureRequest request = place().request(
      "vae: {scenes: train, count: 10, psnr: 0}\nsegmenter: {scenes: train, count: 7, iou: 0}\n"
      "samples: {per_prompt: 2, judged: {class: 0}, prompts: " +
      kPrompts + "}\n" + "swaps: {changed: 0, kept: 0, pairs: " + kSwaps + "}\nsampler: {steps: 2}\n");
  request.pictures = place().folder / "sheets";
  const MeasureResult result = measure_base(request);
  const auto size = [&](const char* name) { return load_image(request.pictures / name, {}).size(); };
  // Tiles of 16 pixels doubled and a gap of 4, and a gap at the end.
  CHECK(size("reconstructions.png") == Size{16 * 36 + 4, 2 * 36 + 4});
  CHECK(size("masks.png") == Size{15 * 36 + 4, 2 * 36 + 4});
  CHECK(size("samples.png") == Size{6 * 36 + 4, 36 + 4});
  CHECK(size("swaps.png") == Size{4 * 36 + 4, 36 + 4});
  CHECK(result.pictures.size() == 6);
  const std::string samples = read_text_file(request.pictures / "samples.txt");
  CHECK(std::count(samples.begin(), samples.end(), '\n') == 6);
  CHECK_THAT(samples, Contains("seed 2: a blue house in a beach; class "));
  CHECK_THAT(read_text_file(request.pictures / "swaps.txt"), Contains("seed 1: a blue house -> a blue cat; "));
}

TEST_CASE("what does not fit is refused before anything is measured", "[pretraining][measure]") {
  const auto samples = [](const std::string& attributes, const std::string& judged) {
    return "samples: {judged: {" + judged + "}, prompts: [{prompt: a cat, attributes: {" + attributes + "}}]}\n";
  };
  CHECK_THAT(refusal("{}\n"), Contains("nothing to measure"));
  CHECK_THAT(refusal("vae: {scenes: nowhere, psnr: 1}\n"), Contains("nowhere") && Contains("no such folder"));
  CHECK_THAT(refusal("vae: {scenes: train, count: 1000, psnr: 1}\n"),
             Contains("24 pictures; expected at least the 1000 that "));
  CHECK_THAT(refusal("clip: {scenes: train, retrieval: {captions: 100, top1: 1}}\n"),
             Contains("different captions; expected the 100"));
  CHECK_THAT(refusal(samples("colour: pink", "colour: 1")), Contains("colour: \"pink\"; expected one of red, blue"));
  CHECK_THAT(refusal(samples("style: photo", "style: 1")),
             Contains("the attribute \"style\"; expected one that the judge knows: class, colour, place"));
  CHECK_THAT(refusal(samples("class: cat", "colour: 1")), Contains("samples.judged: colour: no prompt that names it"));
  CHECK_THAT(
      refusal("swaps: {changed: 1, kept: 1, pairs: [{prompts: [a, b], attribute: colour, values: [red, grey]}]}\n"),
      Contains("word swap \"b\": colour: \"grey\"; expected one of red, blue"));
  CHECK_THAT(refusal(samples("class: cat", "class: 1") + "sampler: {scheduler: ddin}\n"), Contains("ddin"));
}

TEST_CASE("sections are chosen by name, and a stop interrupts", "[pretraining][measure]") {
  MeasureRequest request = place().request("vae: {scenes: train, psnr: 0}\njudge: {scenes: train, accuracy: 0}\n");
  request.only = {"judge"};
  const auto found = by_name(measure_base(request));
  CHECK(found.contains("judge.accuracy"));
  CHECK_FALSE(found.contains("vae.psnr"));
  request.only = {"clip"};
  CHECK_THROWS_WITH(measure_base(request), Contains("no section \"clip\"; expected one of vae, judge"));
  request.only = {};
  request.stop = [] { return true; };
  try {
    static_cast<void>(measure_base(request));
    FAIL("was not interrupted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::interrupted);
  }
}
