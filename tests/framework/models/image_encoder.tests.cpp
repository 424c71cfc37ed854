#include "framework/models/image_encoder.h"

#include "framework/core/error.h"
#include "framework/models/clip_model.h"
#include "framework/models/dinov2.h"
#include "framework/tensor/random.h"
#include "tests/framework/models/encoder_reference.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

struct Case {
  std::string file;
  std::string size;
  PositionInterpolation positions = PositionInterpolation::offset;
  std::string output = "features.";
};

TensorFile with_prefix(const TensorFile& file, const std::string& prefix) {
  TensorFile renamed{.path = file.path, .tensors = {}, .metadata = {}};
  for (const auto& [name, view] : file.tensors) renamed.tensors.emplace(prefix + name, view);
  return renamed;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
}

/// The names of transformers 5 in memory, for ViT and DINOv2.
TensorFile in_memory(const TensorFile& file, bool vit) {
  TensorFile renamed{.path = file.path, .tensors = {}, .metadata = {}};
  for (const auto& [key, view] : file.tensors) {
    std::string name = key;
    for (const auto& [from, to] :
         {std::pair{"attention.query", "q_proj"}, std::pair{"attention.key", "k_proj"},
          std::pair{"attention.value", "v_proj"}, std::pair{"attention.output.dense", "attention.o_proj"},
          std::pair{"intermediate.dense", "mlp.fc1"}, std::pair{"output.dense", "mlp.fc2"},
          std::pair{"weights_out", "down_proj"}}) {
      replace(name, from, to);
    }
    if (vit) replace(name, "encoder.layer.", "layers.");
    if (name.find("weights_in") == std::string::npos) {
      renamed.tensors.emplace(name, view);
      continue;
    }
    TensorView half = view;  // gate and value, stacked
    half.shape[0] /= 2;
    for (const auto* part : {"gate_proj", "up_proj"}) {
      const auto offset = part == std::string("gate_proj") ? 0 : view.bytes.size() / 2;
      half.bytes = view.bytes.subspan(offset, view.bytes.size() / 2);
      std::string part_name = name;
      replace(part_name, "weights_in", part);
      renamed.tensors.emplace(part_name, half);
    }
  }
  return renamed;
}

}  // namespace

TEST_CASE("image encoders compute what transformers computes", "[models][image_encoder]") {
  const auto dtype = GENERATE(at::kFloat, at::kDouble);
  const auto [file, size, positions, output] =
      GENERATE(Case{"clip_vision", "20"}, Case{"dino", "20"}, Case{"dino", "12"}, Case{"dinov2", "20"},
               Case{"dinov2", "12", PositionInterpolation::size},
               Case{"dinov2", "12", PositionInterpolation::offset, "offset_features."}, Case{"dinov2_swiglu", "20"},
               Case{"dinov2_registers", "20"}, Case{"dinov2_registers", "12"}, Case{"siglip", "20"});
  const EncoderReference reference(file);
  const auto encoder = make_image_encoder(reference.config, reference.weights(dtype), positions);
  const Tensor features = encoder->features(reference.input("pixel_values." + size));
  INFO(file << " " << size);
  CHECK(features.scalar_type() == dtype);
  CHECK(encoder->image_size() == 20);
  CHECK(relative_error(features, reference.expected(output + size, dtype)) < tolerance(dtype));
}

TEST_CASE("a whole CLIP model gives picture and text features of one space", "[models][image_encoder]") {
  const auto dtype = GENERATE(at::kFloat, at::kDouble);
  const EncoderReference reference("clip");
  const ClipModel model(reference.config, reference.weights(dtype));
  const Tensor image = model.image_features(reference.input("pixel_values"));
  CHECK(relative_error(image, reference.expected("image_features", dtype)) < tolerance(dtype));
  const Tensor ids = reference.input("input_ids");
  CHECK(relative_error(model.text_features(ids), reference.expected("text_features", dtype)) < tolerance(dtype));
  CHECK_THROWS_AS(model.text_features(ids + 10), Error);  // ids beyond the vocabulary
  // The same file as a picture encoder: the text half is left alone.
  const auto encoder = make_image_encoder(reference.config, reference.weights(dtype));
  CHECK(at::equal(encoder->features(reference.input("pixel_values")), image));
}

TEST_CASE("half types stay near float32", "[models][image_encoder]") {
  const auto file = GENERATE("clip_vision", "dino", "dinov2_registers", "siglip");
  const EncoderReference reference(file);
  const auto encoder = make_image_encoder(reference.config, reference.weights(at::kBFloat16));
  const Tensor features = encoder->features(reference.input("pixel_values.20"));
  CHECK(features.scalar_type() == at::kBFloat16);
  CHECK(relative_error(features, reference.expected("features.20", at::kFloat)) < 0.15);
}

TEST_CASE("DINO runs with eps 1e-6 whatever its config says", "[models][image_encoder]") {
  EncoderReference reference("dino");
  CHECK(reference.config.at("layer_norm_eps").get<double>() == 1e-12);
  // That it is 1e-6 shows in the float64 comparison above: 1e-12 would be off by more than its tolerance.
  const auto features = [&](double eps) {
    reference.config["layer_norm_eps"] = eps;
    const auto encoder = make_image_encoder(reference.config, reference.weights());
    return encoder->features(reference.input("pixel_values.20"));
  };
  CHECK(at::equal(features(1e-12), features(0.1)));
}

TEST_CASE("eps changes what an encoder that heeds it computes", "[models][image_encoder]") {
  EncoderReference reference("clip_vision");
  const auto features = [&] {
    return make_image_encoder(reference.config, reference.weights())->features(reference.input("pixel_values.20"));
  };
  const Tensor before = features();
  reference.config["layer_norm_eps"] = 0.1;
  CHECK_FALSE(at::allclose(features(), before));
}

TEST_CASE("DINOv2's two ways to fit its positions differ by more than rounding", "[models][image_encoder]") {
  const EncoderReference reference("dinov2");
  const auto features = [&](PositionInterpolation positions, const std::string& size) {
    const auto encoder = make_image_encoder(reference.config, reference.weights(), positions);
    return encoder->features(reference.input("pixel_values." + size));
  };
  CHECK(relative_error(features(PositionInterpolation::offset, "12"), features(PositionInterpolation::size, "12")) >
        1e-3);
  CHECK(at::equal(features(PositionInterpolation::offset, "20"), features(PositionInterpolation::size, "20")));
}

TEST_CASE("fitting positions keeps the class token's and a constant table", "[models][image_encoder]") {
  auto generator = make_generator(1);
  const Tensor table = randn({1, 26, 4}, generator);
  for (const auto mode :
       {PositionInterpolation::offset, PositionInterpolation::size, PositionInterpolation::antialias}) {
    const Tensor fitted = fit_positions(table, 3, 4, mode, at::kFloat);
    CHECK(fitted.sizes() == at::IntArrayRef{1, 13, 4});
    CHECK(at::equal(fitted.narrow(1, 0, 1), table.narrow(1, 0, 1)));
    const Tensor constant = table.narrow(1, 0, 1).expand({1, 26, 4}).contiguous();
    CHECK(at::allclose(fit_positions(constant, 3, 4, mode, at::kFloat), constant.narrow(1, 0, 13), 1e-5, 1e-6));
    CHECK(at::equal(fit_positions(table, 5, 5, mode, at::kFloat), table));
  }
}

TEST_CASE("checkpoints with and without their leading level are read", "[models][image_encoder]") {
  const auto [file, prefix] = GENERATE(std::pair{"dino", "vit."}, std::pair{"siglip", "vision_model."});
  const EncoderReference reference(file);
  const Tensor pixels = reference.input("pixel_values.20");
  const auto bare = make_image_encoder(reference.config, reference.weights());
  const auto levelled = make_image_encoder(reference.config, Weights(with_prefix(reference.checkpoint, prefix), {}));
  CHECK(at::equal(bare->features(pixels), levelled->features(pixels)));
}

TEST_CASE("a dump of transformers 5's own names is read like a checkpoint", "[models][image_encoder]") {
  const auto file = GENERATE("dino", "dinov2", "dinov2_swiglu", "dinov2_registers");
  const EncoderReference reference(file);
  const Tensor pixels = reference.input("pixel_values.20");
  const auto renamed = in_memory(reference.checkpoint, std::string("dino") == file);
  CHECK((renamed.tensors.contains("layers.1.attention.q_proj.weight") ||
         renamed.tensors.contains("encoder.layer.1.attention.q_proj.weight")));
  const auto saved = make_image_encoder(reference.config, reference.weights());
  const auto dumped = make_image_encoder(reference.config, Weights(renamed, {}));
  CHECK(relative_error(dumped->features(pixels), saved->features(pixels)) < 1e-6);
}

TEST_CASE("pictures and checkpoints that do not fit are refused", "[models][image_encoder]") {
  EncoderReference reference("dinov2");
  const Tensor pixels = reference.input("pixel_values.20");
  const auto encoder = make_image_encoder(reference.config, reference.weights());
  CHECK_THROWS_WITH(encoder->features(pixels.narrow(2, 0, 18)), Catch::Contains("multiples of 4"));
  CHECK_THROWS_AS(encoder->features(pixels.narrow(1, 0, 1)), Error);
  const EncoderReference clip("clip_vision");
  const auto fixed = make_image_encoder(clip.config, clip.weights());
  CHECK_THROWS_WITH(fixed->features(pixels.narrow(2, 0, 16).narrow(3, 0, 16)), Catch::Contains("[B, 3, 20, 20]"));
  SECTION("unexpected tensor") {
    reference.checkpoint.tensors.emplace("head.weight", reference.checkpoint.tensors.at("layernorm.weight"));
    CHECK_THROWS_WITH(make_image_encoder(reference.config, reference.weights()), Catch::Contains("head.weight"));
  }
  SECTION("unknown model type") {
    reference.config["model_type"] = "beit";
    CHECK_THROWS_WITH(make_image_encoder(reference.config, reference.weights()), Catch::Contains("beit"));
  }
  SECTION("no projection") {
    auto bare = clip.checkpoint;
    bare.tensors.erase("visual_projection.weight");
    CHECK_THROWS_WITH(make_image_encoder(clip.config, Weights(bare, {})), Catch::Contains("visual_projection.weight"));
  }
}
