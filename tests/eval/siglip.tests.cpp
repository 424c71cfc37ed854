// SigLIP against transformers (reference_siglip.py).
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "framework/models/siglip_model.h"
#include "tests/eval/encoder_reference.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

const std::filesystem::path kSiglip = eval_folder() / "models/siglip_tiny";

}  // namespace

TEST_CASE("SigLIP scores pictures and texts as transformers does", "[eval][siglip]") {
  const FeatureReference reference("siglip");
  const auto encoder = open_on_cpu(kSiglip);
  CHECK(encoder->image_size() == 32);
  CHECK(unit_error(encoder->image_features(reference["pixel_values"]), reference["f32.images"]) < 1e-6);
  REQUIRE(reference.texts.size() == 5);
  for (std::size_t i = 0; i < reference.texts.size(); ++i) {
    const auto text = reference.texts[i].get<std::string>();
    INFO(text);
    const Tensor expected = reference["f32.texts"][static_cast<std::int64_t>(i)];
    CHECK(unit_error(encoder->text_features(text), expected) < 1e-6);
  }
}

TEST_CASE("SigLIP's towers agree in float64", "[eval][siglip]") {
  const FeatureReference reference("siglip");
  const auto config = read_json_file(kSiglip / "config.json");
  const auto weights = read_safetensors(kSiglip / "model.safetensors");
  const SiglipModel model(config, Weights(weights, {.device = c10::kCPU, .dtype = at::kDouble}));
  CHECK(unit_error(model.text_features(reference["input_ids"]), reference["f64.texts"]) < 1e-12);
  CHECK(unit_error(model.image_features(reference["pixel_values"]), reference["f64.images"]) < 1e-12);
  // Read at the last place of the padded row: a shorter row is another text.
  CHECK_THROWS_WITH(model.text_features(reference["input_ids"].narrow(1, 0, 12)), Catch::Contains("[B, 64]"));
  CHECK_THROWS_WITH(model.text_features(reference["input_ids"] + 5000), Catch::Contains("id 5"));
}

TEST_CASE("A text that SigLIP cannot read whole is an error", "[eval][siglip]") {
  const auto encoder = open_on_cpu(kSiglip);
  std::string text;
  for (int i = 0; i < 64; ++i) text += "cat ";
  CHECK_THROWS_WITH(encoder->text_features(text), Catch::Contains("65 tokens") && Catch::Contains("at most 64"));
  const TemporaryFolder folder;
  for (const auto* name : {"config.json", "model.safetensors"}) std::filesystem::copy(kSiglip / name, folder / name);
  CHECK_THROWS_WITH(open_on_cpu(folder.path())->text_features("cat"), Catch::Contains("spiece.model"));
}
