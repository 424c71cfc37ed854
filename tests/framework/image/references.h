#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/core/mapped_file.h"
#include "framework/image/image.h"

/// What make_references.py wrote: cases, and the arrays they point at.
namespace references {

inline std::filesystem::path folder() {
  return std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/framework/image/data";
}

inline const atelier::Json& manifest() {
  static const atelier::Json json = atelier::read_json_file(folder() / "manifest.json");
  return json;
}

template <typename Value>
std::vector<Value> array(const atelier::Json& entry) {
  static const auto file = atelier::MappedFile::open(folder() / "expected.bin");
  std::size_t count = 1;
  for (const auto& length : entry.at("shape")) count *= length.get<std::size_t>();
  REQUIRE(entry.at("dtype") == (sizeof(Value) == 1 ? "u1" : "f4"));
  const auto bytes = file->bytes().subspan(entry.at("offset").get<std::size_t>(), count * sizeof(Value));
  std::vector<Value> values(count);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

template <typename Picture>
Picture picture(const atelier::Json& entry) {
  const auto& shape = entry.at("shape");
  return {shape[1].get<int>(), shape[0].get<int>(), array<typename Picture::value_type>(entry)};
}

inline std::vector<std::byte> bytes(const std::string& name) {
  const auto file = atelier::MappedFile::open(folder() / name);
  return {file->bytes().begin(), file->bytes().end()};
}

/// Largest |a - b| / max(1, |b|) over every stride-th value of `found`.
inline double difference(const std::vector<float>& found, const std::vector<float>& expected, std::size_t stride = 1) {
  REQUIRE((found.size() + stride - 1) / stride == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double a = found[i * stride], b = expected[i];
    worst = std::max(worst, std::abs(a - b) / std::max(1.0, std::abs(b)));
  }
  return worst;
}

inline int level_difference(const std::vector<std::uint8_t>& found, const std::vector<std::uint8_t>& expected) {
  REQUIRE(found.size() == expected.size());
  int worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(found[i] - expected[i]));
  return worst;
}

}  // namespace references
