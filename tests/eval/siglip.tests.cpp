// SigLIP against transformers (reference_siglip.py).
#include <nlohmann/json.hpp>

#include "eval/encoder.h"
#include "eval/features.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "framework/models/siglip_model.h"
#include "framework/tensor/tensor_io.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

namespace fs = std::filesystem;
const fs::path kEval = fs::path(ATELIER_SOURCE_DIR) / "tests/eval";

struct Reference {
  TensorFile file = read_safetensors(kEval / "references/siglip.safetensors");
  Json texts = parse_json(file.metadata.at("texts"), "texts");
  [[nodiscard]] Tensor operator[](const std::string& name) const { return to_tensor(file.tensors.at(name)); }
};

/// Largest difference of two sets of vectors, each made a unit vector.
double unit_error(const Tensor& found, const Tensor& expected) {
  return (eval::unit_rows(found) - eval::unit_rows(expected)).abs().max().item<double>();
}

std::unique_ptr<eval::Encoder> open(const fs::path& folder) {
  return eval::open_encoder({.folder = folder, .tokenizer = {}, .variant = {}}, {});
}

}  // namespace

TEST_CASE("SigLIP scores pictures and texts as transformers does", "[eval][siglip]") {
  const Reference reference;
  const auto encoder = open(kEval / "models/siglip_tiny");
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
  const Reference reference;
  const auto config = read_json_file(kEval / "models/siglip_tiny/config.json");
  const auto weights = read_safetensors(kEval / "models/siglip_tiny/model.safetensors");
  const SiglipModel model(config, Weights(weights, {.device = c10::kCPU, .dtype = at::kDouble}));
  CHECK(unit_error(model.text_features(reference["input_ids"]), reference["f64.texts"]) < 1e-12);
  CHECK(unit_error(model.image_features(reference["pixel_values"]), reference["f64.images"]) < 1e-12);
  // Read at the last place of the padded row: a shorter row is another text.
  CHECK_THROWS_WITH(model.text_features(reference["input_ids"].narrow(1, 0, 12)), Catch::Contains("[B, 64]"));
  CHECK_THROWS_WITH(model.text_features(reference["input_ids"] + 5000), Catch::Contains("id 5"));
}

TEST_CASE("A text that SigLIP cannot read whole is an error", "[eval][siglip]") {
  const auto encoder = open(kEval / "models/siglip_tiny");
  std::string text;
  for (int i = 0; i < 64; ++i) text += "cat ";
  CHECK_THROWS_WITH(encoder->text_features(text), Catch::Contains("65 tokens") && Catch::Contains("at most 64"));
  const TemporaryFolder folder;
  for (const auto* name : {"config.json", "model.safetensors"})
    fs::copy(kEval / "models/siglip_tiny" / name, folder / name);
  CHECK_THROWS_WITH(open(folder.path())->text_features("cat"), Catch::Contains("spiece.model"));
}
