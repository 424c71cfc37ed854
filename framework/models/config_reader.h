#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

/// The config.json that stands beside weights, for errors; `weights` itself where there is none (single files).
[[nodiscard]] std::string config_place(const std::string& weights);

/// Typed look-ups in a component's config.json. Absent keys and nulls take the default that is passed; a value of
/// another type is an error that names file and key.
class ConfigReader {
 public:
  /// `where` is the weights' file or folder: errors name the config.json beside them. `config` must outlive the reader.
  ConfigReader(const Json& config, const std::string& where) : config_(config), where_(config_place(where)) {}

  [[nodiscard]] std::int64_t integer(const char* key, std::int64_t fallback) const;
  /// An integer from 1 to `most`.
  [[nodiscard]] std::int64_t bounded(const char* key, std::int64_t fallback, std::int64_t most) const;
  [[nodiscard]] double number(const char* key, double fallback) const;
  [[nodiscard]] bool boolean(const char* key, bool fallback) const;
  [[nodiscard]] std::string text(const char* key, const std::string& fallback) const;
  [[nodiscard]] std::vector<std::string> texts(const char* key, const std::vector<std::string>& fallback) const;
  /// An integer is repeated `count` times; a list must have `count` entries.
  [[nodiscard]] std::vector<std::int64_t> integers(const char* key, std::size_t count,
                                                   const std::vector<std::int64_t>& fallback) const;
  [[nodiscard]] bool has(const char* key) const;
  [[nodiscard]] const Json* find(const char* key) const;  ///< null when absent or null

  /// A feature of the reference that we do not build: throws unless the key is absent, null or equal to `only`.
  void only(const char* key, const Json& only) const;

  [[noreturn]] void fail(const char* key, const std::string& found, const std::string& expected) const;
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  const Json& config_;
  std::string where_;
};

}  // namespace atelier
