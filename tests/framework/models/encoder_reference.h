#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "framework/tensor/tensor_io.h"
#include "framework/tensor/weights.h"

/// One file of make_encoder_references.py.
struct EncoderReference {
  explicit EncoderReference(const std::string& name) {
    const auto folder = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/framework/models/encoder_references";
    auto file = atelier::read_safetensors(folder / (name + ".safetensors"));
    config = atelier::parse_json(file.metadata.at("config"), name);
    checkpoint.path = name;
    const std::string prefix = "weight.";
    for (const auto& [key, view] : file.tensors) {
      if (key.starts_with(prefix)) {
        checkpoint.tensors.emplace(key.substr(prefix.size()), view);
      } else {
        tensors.emplace(key, atelier::to_tensor(view));
      }
    }
  }

  [[nodiscard]] atelier::Weights weights(c10::ScalarType dtype = at::kFloat) const {
    return {checkpoint, {.device = c10::kCPU, .dtype = dtype}};
  }
  /// The output that transformers computed in this type.
  [[nodiscard]] at::Tensor expected(const std::string& name, c10::ScalarType dtype) const {
    return tensors.at((dtype == at::kDouble ? "f64." : "f32.") + name);
  }
  [[nodiscard]] at::Tensor input(const std::string& name) const { return tensors.at("in." + name); }

  atelier::Json config;
  atelier::TensorFile checkpoint;
  atelier::TensorMap tensors;
};

/// Largest difference, relative to the root mean square of what is expected.
inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor reference = expected.to(at::kDouble);
  const double scale = reference.square().mean().sqrt().item<double>();
  return (found.to(at::kDouble) - reference).abs().max().item<double>() / scale;
}

/// What a type must reach against the same computation in transformers.
inline double tolerance(c10::ScalarType dtype) { return dtype == at::kDouble ? 1e-9 : 2e-5; }
