#include "framework/cli/image_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/cli/options.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/safetensors_writer.h"

namespace atelier::cli {

TensorView view_of(std::span<const float> values, std::vector<std::int64_t> shape) {
  return {.dtype = Dtype::f32, .shape = std::move(shape), .strides = {}, .bytes = std::as_bytes(values), .owner = {}};
}

TensorView view_of(std::span<const std::uint8_t> values, std::vector<std::int64_t> shape) {
  return {.dtype = Dtype::u8, .shape = std::move(shape), .strides = {}, .bytes = std::as_bytes(values), .owner = {}};
}

void write_tensor(const std::string& path, const std::string& name, const TensorView& tensor) {
  write_safetensors(path, {{name, tensor}});
}

void check_image_settings(const std::vector<std::string>& settings, const std::vector<std::string>& keys) {
  const Json values = parse_settings(settings);
  if (keys.empty()) return;
  for (const auto& [key, value] : values.items()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    throw Error({.where = "--set " + key, .found = "a key without meaning here", .expected = join(keys)},
                ErrorKind::usage);
  }
}

}  // namespace atelier::cli
