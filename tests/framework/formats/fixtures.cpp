#include "tests/framework/formats/fixtures.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "framework/core/digest.h"

namespace fixtures {

using namespace atelier;
namespace fs = std::filesystem;

namespace {
const fs::path kData = fs::path(ATELIER_SOURCE_DIR) / "tests/framework/formats/data";

void append(std::string& out, const TensorView& view, std::size_t dimension, std::size_t offset) {
  if (dimension == view.shape.size()) {
    const auto size = dtype_size(view.dtype);
    REQUIRE((offset + 1) * size <= view.bytes.size());
    out.append(reinterpret_cast<const char*>(view.bytes.data()) + offset * size, size);
    return;
  }
  for (std::int64_t i = 0; i < view.shape[dimension]; ++i) {
    append(out, view, dimension + 1, offset + static_cast<std::size_t>(i * view.strides[dimension]));
  }
}
}  // namespace

fs::path single_file(const std::string& name) { return kData / (name + ".safetensors"); }

const Json& record(const std::string& name) {
  static const Json json = read_json_file(kData / "tiny.json");
  return json.at(name);
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

void write_configs(const std::string& name, const fs::path& folder) {
  for (const auto& [key, value] : record(name).items()) {
    if (key == "model_index") write_text(folder / "model_index.json", value.dump());
    if (value.contains("expected") || key.starts_with("expected") || key == "model_index") continue;
    write_text(folder / key / "config.json", value.dump());
  }
  write_text(folder / "scheduler" / "scheduler_config.json",
             R"({"beta_schedule": "scaled_linear", "prediction_type": "epsilon"})");
  fs::create_directories(folder / "tokenizer");
}

TensorView shaped(std::vector<std::int64_t> shape) {
  TensorView view;
  view.shape = std::move(shape);
  return view;
}

std::string contiguous_bytes(const TensorView& view) {
  std::string out;
  if (view.strides.empty()) {
    out.assign(reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size());
  } else {
    append(out, view, 0, 0);
  }
  return out;
}

std::string digest(const TensorView& view) {
  std::string shape;
  for (const auto size : view.shape) shape += (shape.empty() ? "" : "x") + std::to_string(size);
  return shape + " " + sha256_hex(contiguous_bytes(view)).substr(0, 16);
}

void check_tensors(const TensorFile& file, const Json& expected) {
  for (const auto& [name, view] : file.tensors) {
    INFO(file.path << ": " << name);
    REQUIRE(expected.contains(name));
    CHECK(digest(view) == expected.at(name).get<std::string>());
  }
  CHECK(file.tensors.size() == expected.size());
}

}  // namespace fixtures
