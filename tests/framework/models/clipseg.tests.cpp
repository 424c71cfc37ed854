// What tests/parity/clipseg.tests.cpp cannot see through the command: gradients, and the errors of configs and calls.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/models/clipseg.h"
#include "framework/tensor/tensor_io.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

const std::filesystem::path kFolder = ATELIER_SOURCE_DIR "/tests/parity/clipseg";

Json config_of(const std::string& model) { return read_json_file(kFolder / model / "config.json"); }

Weights weights_of(const std::string& model, c10::ScalarType dtype) {
  return {read_safetensors(kFolder / model / "model.safetensors"), {.device = c10::kCPU, .dtype = dtype}};
}

std::string clipseg_refusal(const Json& config) {
  try {
    const ClipSeg segmenter(config, weights_of("simple", at::kFloat));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::string clipseg_refusal(const char* key, const Json& value) {
  Json config = config_of("simple");
  config[key] = value;
  return clipseg_refusal(config);
}

double deviation(const Tensor& found, const Tensor& expected) {
  const double rms = expected.pow(2).mean().sqrt().item<double>();
  return (found.reshape(expected.sizes()) - expected).abs().max().item<double>() / std::max(rms, 1e-300);
}

}  // namespace

TEST_CASE("the decoder learns: its gradients are those of transformers, and CLIP has none", "[models][clipseg]") {
  for (const std::string model : {"simple", "complex"}) {
    ClipSeg segmenter(config_of(model), weights_of(model, at::kDouble));
    const auto in = read_named_tensors(kFolder / (model + "_gradients.in.safetensors")).tensors;
    const auto expected = read_named_tensors(kFolder / (model + "_gradients.float64.safetensors")).tensors;
    for (const auto& [name, slot] : segmenter.registry().parameters) {
      if (name.starts_with("decoder.")) *slot = slot->clone().requires_grad_();
    }
    const Tensor logits = segmenter.forward(in.at("pixel_values"), segmenter.prompt(in.at("input_ids")));
    const Tensor loss = at::binary_cross_entropy_with_logits(logits, in.at("labels").to(at::kDouble));
    loss.backward();
    CHECK(deviation(loss, expected.at("loss")) < 1e-9);
    std::size_t compared = 0;
    for (const auto& [name, slot] : segmenter.registry().parameters) {
      INFO(model << " " << name);
      if (!name.starts_with("decoder.")) {
        CHECK_FALSE(slot->requires_grad());
        continue;
      }
      ++compared;
      if (name.ends_with("k_proj.bias")) continue;  // softmax does not see it: zero but for rounding
      CHECK(deviation(slot->grad(), expected.at(name)) < 1e-8);
    }
    CHECK(compared + 1 == expected.size());
  }
}

TEST_CASE("every tensor of the checkpoint is registered under its own name", "[models][clipseg]") {
  ClipSeg segmenter(config_of("complex"), weights_of("complex", at::kFloat));
  const auto file = read_safetensors(kFolder / "complex" / "model.safetensors");
  for (const auto& [name, view] : file.tensors) {
    INFO(name);
    if (name != "clip.logit_scale") CHECK(segmenter.registry().parameters.contains(name));
  }
  CHECK(segmenter.registry().parameters.size() + 1 == file.tensors.size());
}

TEST_CASE("one picture's activations serve several prompts", "[models][clipseg]") {
  const at::NoGradGuard no_grad;
  const ClipSeg segmenter(config_of("simple"), weights_of("simple", at::kFloat));
  const auto in = read_named_tensors(kFolder / "simple_embedding.in.safetensors").tensors;
  const Tensor prompts = in.at("conditional_embeddings");
  const Tensor picture = in.at("pixel_values").narrow(0, 0, 1);
  std::vector<Tensor> states;
  for (const auto& state : segmenter.activations(picture)) states.push_back(state.expand({3, -1, -1}));
  const Tensor logits = segmenter.decode(states, prompts);
  CHECK(logits.sizes() == at::IntArrayRef({3, 32, 32}));
  CHECK(deviation(logits, segmenter.forward(picture.expand({3, -1, -1, -1}), prompts)) < 1e-5);
}

TEST_CASE("a segmenter's config is refused in words", "[models][clipseg]") {
  CHECK_THAT(clipseg_refusal("model_type", "clip"),
             Catch::Contains("model_type: found \"clip\"; expected \"clipseg\"") ||
                 Catch::Contains("model_type: \"clip\"; expected \"clipseg\""));
  CHECK_THAT(clipseg_refusal("extract_layers", Json{0, 4}),
             Catch::Contains("extract_layers: [0,4]; expected a list of layers "
                             "from 0 to 3"));
  CHECK_THAT(clipseg_refusal("extract_layers", Json::array()), Catch::Contains("extract_layers: []"));
  CHECK_THAT(clipseg_refusal("extract_layers", 3), Catch::Contains("extract_layers: 3"));
  CHECK_THAT(clipseg_refusal("conditional_layer", 3),
             Catch::Contains("conditional_layer: 3; expected a decoder layer from 0 "
                             "to 2"));
  CHECK_THAT(clipseg_refusal("decoder_num_attention_heads", 3), Catch::Contains("a divisor of the width 16"));
  CHECK_THAT(clipseg_refusal("vision_config", nullptr), Catch::Contains("vision_config: nothing; expected an object"));
  CHECK_THAT(clipseg_refusal("reduce_dim", 24), Catch::Contains("decoder.film_add.bias is [16] where [24] is wanted"));
  CHECK_THAT(clipseg_refusal("projection_dim", 21),
             Catch::Contains("clip.text_projection.weight is [20, 24] where [21, 24]"));
  CHECK_THAT(clipseg_refusal("use_complex_transposed_convolution", true),
             Catch::Contains("missing: ") && Catch::Contains("decoder.transposed_convolution.0.weight") &&
                 Catch::Contains("unexpected: decoder.transposed_convolution.bias"));
}

TEST_CASE("a segmenter's calls are refused in words", "[models][clipseg]") {
  const ClipSeg segmenter(config_of("simple"), weights_of("simple", at::kFloat));
  const Tensor prompt = at::zeros({1, 20});
  CHECK_THROWS_WITH(segmenter.forward(at::zeros({1, 3, 32, 40}), prompt), Catch::Contains("[B, 3, S, S]"));
  CHECK_THROWS_WITH(segmenter.forward(at::zeros({1, 3, 36, 36}), prompt), Catch::Contains("multiples of 8"));
  CHECK_THROWS_WITH(segmenter.forward(at::zeros({2, 3, 32, 32}), prompt),
                    Catch::Contains("[1, 20] Float; expected [2, 20], one for each picture"));
  CHECK_THROWS_WITH(segmenter.decode({}, prompt), Catch::Contains("0 states; expected 3 states"));
  CHECK_THROWS_WITH(segmenter.decode({at::zeros({1, 8, 32}), at::zeros({1, 8, 32}), at::zeros({1, 8, 32})}, prompt),
                    Catch::Contains("a square number of patches"));
}
