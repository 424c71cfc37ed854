#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "eval/encoder.h"
#include "eval/features.h"
#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "framework/tensor/tensor_io.h"

/// tests/eval.
inline std::filesystem::path eval_folder() { return std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/eval"; }

/// Inputs and expected features of encoders: references/<name>.safetensors.
struct FeatureReference {
  explicit FeatureReference(const std::string& name)
      : file(atelier::read_safetensors(eval_folder() / "references" / (name + ".safetensors"))) {
    if (file.metadata.contains("texts")) texts = atelier::parse_json(file.metadata.at("texts"), "texts");
  }
  [[nodiscard]] at::Tensor operator[](const std::string& name) const {
    return atelier::to_tensor(file.tensors.at(name));
  }

  atelier::TensorFile file;
  atelier::Json texts;
};

/// Largest difference of two sets of vectors, each made a unit vector.
inline double unit_error(const at::Tensor& found, const at::Tensor& expected) {
  return (atelier::eval::unit_rows(found) - atelier::eval::unit_rows(expected)).abs().max().item<double>();
}

/// On the CPU in float32, pickles allowed.
inline std::unique_ptr<atelier::eval::Encoder> open_on_cpu(
    const std::filesystem::path& path,
    atelier::PositionInterpolation positions = atelier::PositionInterpolation::offset) {
  return atelier::eval::open_encoder(
      {.folder = path, .tokenizer = {}, .variant = {}, .allow_pickle = true, .positions = positions}, {});
}
