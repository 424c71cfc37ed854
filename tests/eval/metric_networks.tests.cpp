// Inception of FID and KID, and LPIPS, against plain PyTorch (reference_metric_networks.py). The weights are a formula.
#include <cmath>
#include <cstdint>

#include "framework/core/error.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/encoder_source.h"
#include "framework/models/inception.h"
#include "framework/models/lpips.h"
#include "tests/eval/encoder_reference.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

/// Values in [-1, 1) by a hash of the name (FNV-1a) and the place.
Tensor uniform(const std::string& name, at::IntArrayRef shape) {
  std::uint32_t seed = 2166136261U;
  for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 16777619U;
  Tensor out = at::empty(shape);
  auto* values = out.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    std::uint32_t x = static_cast<std::uint32_t>(i) * 2654435761U + seed;
    for (int round = 0; round < 2; ++round) x = (x ^ (x >> 16U)) * 0x45d9f3bU;
    x ^= x >> 16U;
    values[i] = static_cast<float>(x / 2147483648.0 - 1);
  }
  return out;
}

Tensor weight_of(const std::string& name, at::IntArrayRef shape) {
  const Tensor u = uniform(name, shape);
  if (name.starts_with("lin")) return 0.5 + 0.5 * u;
  if (shape.size() == 4) {
    const auto inputs = static_cast<double>(shape[1] * shape[2] * shape[3]);
    return u * static_cast<float>(std::sqrt(6 / inputs));
  }
  const bool near_one = name.ends_with("running_var") || name.ends_with("bn.weight");
  return near_one ? 1 + 0.25 * u : 0.125 * u;
}

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// Weights that are made as they are asked for; `shapes` stand in the file, for what a model reads off it.
Weights made(const Shapes& shapes, c10::ScalarType dtype) {
  TensorMap tensors;
  for (const auto& [name, shape] : shapes) tensors[name] = weight_of(name, shape).to(dtype);
  const auto make = [dtype](const std::string& name, at::IntArrayRef shape) {
    return weight_of(name, shape).to(dtype);
  };
  return {"formula", std::move(tensors), make, {.device = c10::kCPU, .dtype = dtype}};
}

const Shapes kAlex{{"features.0.weight", {64, 3, 11, 11}}};
const Shapes kVgg{{"features.0.weight", {64, 3, 3, 3}}};

double relative_error(const Tensor& found, const Tensor& expected) {
  const double scale = expected.to(at::kDouble).square().mean().sqrt().item<double>();
  return (found.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>() / scale;
}

TensorView view_of(const Tensor& tensor) {
  return {.dtype = Dtype::f32,
          .shape = tensor.sizes().vec(),
          .strides = {},
          .bytes = std::as_bytes(std::span(tensor.const_data_ptr<float>(), static_cast<std::size_t>(tensor.numel()))),
          .owner = {}};
}

}  // namespace

TEST_CASE("Inception's features are those of the network of 2015-12-05", "[eval][inception]") {
  const at::NoGradGuard no_grad;
  const FeatureReference reference("metric_networks");
  const Tensor pixels = uniform("pixels", {2, 3, 107, 99});
  const Tensor found = InceptionV3(made({}, at::kFloat)).features(pixels);
  CHECK(found.sizes() == at::IntArrayRef{2, 2048});
  CHECK(relative_error(found, reference["inception.f32"]) < 2e-5);
  CHECK(relative_error(InceptionV3(made({}, at::kDouble)).features(pixels), reference["inception.f64"]) < 1e-9);
}

TEST_CASE("LPIPS agrees on both trunks, and is the squared distance of its features", "[eval][lpips]") {
  const at::NoGradGuard no_grad;
  const FeatureReference reference("metric_networks");
  const Tensor a = uniform("a", {2, 3, 67, 80}), b = uniform("b", {2, 3, 67, 80});
  const auto check = [&](const Shapes& shapes, const std::string& name) {
    INFO(name);
    const Lpips model(made(shapes, at::kFloat));
    const Tensor distance = model.distance(a, b);
    CHECK(relative_error(distance, reference[name + ".f32"]) < 2e-5);
    if (name == "vgg") return;  // the rest is the same code
    CHECK(relative_error(distance, (model.features(a) - model.features(b)).square().sum(1)) < 2e-5);
    CHECK(at::equal(model.distance(b, a), distance));
    CHECK(model.distance(a, a).abs().max().item<double>() == 0);
    const Lpips precise(made(shapes, at::kDouble));
    CHECK(relative_error(precise.distance(a.to(at::kDouble), b.to(at::kDouble)), reference[name + ".f64"]) < 1e-9);
  };
  check(kAlex, "alex");
  check(kVgg, "vgg");
}

TEST_CASE("ImageNet's Inception is not the network of FID", "[eval][inception]") {
  CHECK_THROWS_WITH(InceptionV3(made({{"fc.weight", {1000, 8}}}, at::kFloat)), Catch::Contains("1000 classes"));
  CHECK_THROWS_WITH(Lpips(made({}, at::kFloat)), Catch::Contains("no features.0.weight"));
}

TEST_CASE("LPIPS is read from a trunk and its own weights, and from the package's module", "[eval][lpips]") {
  const TemporaryFolder folder;
  const Tensor first = weight_of("features.0.weight", {64, 3, 11, 11}),
               linear = weight_of("lin0.model.1.weight", {1, 64, 1, 1});
  const Tensor row = first[0].clone();
  const auto names = [](const EncoderSource& source) {
    CHECK(source.config.at("model_type") == "lpips");
    std::vector<std::string> found;
    for (const auto& [name, view] : source.weights.tensors) found.push_back(name);
    return found;
  };
  const std::vector<std::string> expected{"features.0.weight", "lin0.model.1.weight"};
  write_safetensors(folder / "alex.safetensors", {{"lin0.model.1.weight", view_of(linear)}});
  write_safetensors(folder / "alexnet.safetensors",
                    {{"features.0.weight", view_of(first)}, {"classifier.1.bias", view_of(row)}});
  CHECK(names(read_encoder(folder.path())) == expected);
  CHECK(encoder_files(folder.path()).size() == 2);
  write_safetensors(folder / "module.safetensors", {{"lin0.model.1.weight", view_of(linear)},
                                                    {"net.slice1.0.weight", view_of(first)},
                                                    {"scaling_layer.shift", view_of(row)}});
  CHECK(names(read_encoder(folder / "module.safetensors")) == expected);
  CHECK_THROWS_WITH(open_on_cpu(folder / "module.safetensors"), Catch::Contains("features.3.weight"));
}
