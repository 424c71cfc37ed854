#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier::eval {

/// Vectors of one encoder by the SHA-256 of its input, kept in a file that processes share: `<folder>/<digest of the
/// settings>`. Appending only, under a lock; every record has a checksum of its own, and what a crash left behind the
/// last whole record is cut off. It is a cache: where it cannot be read or written, nothing is remembered.
class FeatureCache {
 public:
  /// `settings`: all that decides a vector besides the input (encoder, type, device, versions).
  FeatureCache(const std::filesystem::path& folder, const Json& settings);

  /// The floats that were put under this digest.
  [[nodiscard]] std::optional<std::vector<float>> find(const std::string& input) const;
  void put(const std::string& input, std::span<const float> values);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  /// Takes in the records of `text`, which begins at a record; returns where the last whole one ends.
  std::size_t take(std::string_view text);

  std::filesystem::path file_;
  std::size_t read_ = 0;  // bytes of the file that are known to be whole records
  std::map<std::string, std::vector<float>> values_;
  mutable std::mutex mutex_;
};

}  // namespace atelier::eval
