#include "framework/models/config_reader.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"

namespace atelier {

std::string config_place(const std::string& weights) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path path(weights);
  const fs::path config = (fs::is_directory(path, ignored) ? path : path.parent_path()) / "config.json";
  return fs::exists(path, ignored) && fs::is_regular_file(config, ignored) ? config.string() : weights;
}

void ConfigReader::fail(const char* key, const std::string& found, const std::string& expected) const {
  throw Error({.where = fmt::format("{}: {}", where_, key), .found = found, .expected = expected});
}

const Json* ConfigReader::find(const char* key) const {
  const auto found = config_.find(key);
  return found == config_.end() || found->is_null() ? nullptr : &*found;
}

std::int64_t ConfigReader::bounded(const char* key, std::int64_t fallback, std::int64_t most) const {
  const auto value = integer(key, fallback);
  if (value < 1 || value > most) fail(key, std::to_string(value), fmt::format("an integer from 1 to {}", most));
  return value;
}

bool ConfigReader::has(const char* key) const { return find(key) != nullptr; }

std::int64_t ConfigReader::integer(const char* key, std::int64_t fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number_integer()) fail(key, value->dump(), "an integer");
  const auto number = value->get<std::int64_t>();
  if (number < 0 || number > 1'000'000'000) fail(key, value->dump(), "an integer from 0 to 10^9");
  return number;
}

double ConfigReader::number(const char* key, double fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) fail(key, value->dump(), "a number");
  return value->get<double>();
}

bool ConfigReader::boolean(const char* key, bool fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fail(key, value->dump(), "true or false");
  return value->get<bool>();
}

std::string ConfigReader::text(const char* key, const std::string& fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) fail(key, value->dump(), "a string");
  return value->get<std::string>();
}

std::vector<std::string> ConfigReader::texts(const char* key, const std::vector<std::string>& fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  std::vector<std::string> texts;
  if (!value->is_array()) fail(key, value->dump(), "a list of strings");
  for (const Json& item : *value) {
    if (!item.is_string()) fail(key, value->dump(), "a list of strings");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::vector<std::int64_t> ConfigReader::integers(const char* key, std::size_t count,
                                                 const std::vector<std::int64_t>& fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_number_integer()) return std::vector<std::int64_t>(count, integer(key, 0));
  const std::string expected = fmt::format("an integer or a list of {} positive integers", count);
  if (!value->is_array() || value->size() != count) fail(key, value->dump(), expected);
  std::vector<std::int64_t> numbers;
  for (const Json& item : *value) {
    if (!item.is_number_integer() || item.get<std::int64_t>() < 1 || item.get<std::int64_t>() > 1'000'000) {
      fail(key, value->dump(), expected);
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

void ConfigReader::only(const char* key, const Json& only) const {
  const Json* value = find(key);
  if (value == nullptr || *value == only) return;
  throw Error({.where = fmt::format("{}: {}", where_, key),
               .found = value->dump(),
               .expected = only.dump(),
               .advice = "this architecture is not Stable Diffusion 1.x, 2.x or SDXL and is not supported"});
}

}  // namespace atelier
