#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/files/tensor_view.h"
#include "tests/framework/files/little_endian.h"

/// A reference file made by make_references.py.
inline std::filesystem::path reference(const std::string& name) {
  return std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/framework/files/data" / name;
}

inline std::string content(const std::filesystem::path& path) { return atelier::read_text_file(path); }

inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// The text of the Error that `action` throws, or "" when it throws none. Any other exception fails the test.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const atelier::Error& error) {
    return error.what();
  }
  return {};
}

/// The elements in row-major order, read through the strides.
template <typename Element>
std::vector<Element> elements(const atelier::TensorView& view) {
  std::vector<std::int64_t> strides = view.strides;
  if (strides.empty()) {
    strides.assign(view.shape.size(), 1);
    for (std::size_t i = view.shape.size(); i > 1; --i) strides[i - 2] = strides[i - 1] * view.shape[i - 1];
  }
  std::vector<Element> values;
  for (std::int64_t i = 0; i < view.numel(); ++i) {
    std::int64_t rest = i;
    std::int64_t offset = 0;
    for (std::size_t d = view.shape.size(); d > 0; --d) {
      offset += rest % view.shape[d - 1] * strides[d - 1];
      rest /= view.shape[d - 1];
    }
    const auto bytes = view.bytes.subspan(static_cast<std::size_t>(offset) * sizeof(Element), sizeof(Element));
    Element value{};
    std::memcpy(&value, bytes.data(), sizeof value);
    values.push_back(value);
  }
  return values;
}
