#include "framework/text/special_tokens.h"

#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/core/json.h"

namespace atelier {
namespace {

constexpr double kPlausibleLength = 1e6;  // "no limit" is written as 1e30

}  // namespace

Json optional_json_object(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return Json::object();
  auto json = read_json_file(path);
  if (!json.is_object()) throw Error({.where = path.string(), .found = "no object", .expected = "a JSON object"});
  return json;
}

std::string special_text(const Json& value, const std::string& key, const std::filesystem::path& path) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value.at("content").is_string()) {
    return value.at("content").get<std::string>();
  }
  throw Error({.where = path.string(), .found = fmt::format("{}: {}", key, value.dump()), .expected = "a token"});
}

SpecialTokens::SpecialTokens(const std::filesystem::path& folder)
    : map_path_(folder / "special_tokens_map.json"),
      config_path_(folder / "tokenizer_config.json"),
      map_(optional_json_object(map_path_)),
      config_(optional_json_object(config_path_)) {}

std::string SpecialTokens::text(const char* key, const std::string& usual) const {
  if (map_.contains(key)) {
    if (auto text = special_text(map_.at(key), key, map_path_); !text.empty()) return text;
  }
  if (config_.contains(key)) {
    if (auto text = special_text(config_.at(key), key, config_path_); !text.empty()) return text;
  }
  return usual;
}

std::vector<std::string> SpecialTokens::additional() const {
  constexpr const char* kKey = "additional_special_tokens";
  const Json& holder = map_.contains(kKey) ? map_ : config_;
  std::vector<std::string> tokens;
  if (!holder.contains(kKey) || !holder.at(kKey).is_array()) return tokens;
  for (const auto& token : holder.at(kKey)) {
    if (auto text = special_text(token, kKey, map_path_); !text.empty()) tokens.push_back(std::move(text));
  }
  return tokens;
}

std::int64_t SpecialTokens::model_length(std::int64_t usual) const {
  const auto found = config_.find("model_max_length");
  if (found == config_.end() || found->is_null()) return usual;
  const double length = found->is_number() ? found->get<double>() : 0.0;
  if (!(length >= 2)) {
    throw Error({.where = config_path_.string(),
                 .found = fmt::format("model_max_length: {}", found->dump()),
                 .expected = "a number of at least 2"});
  }
  return length > kPlausibleLength ? usual : static_cast<std::int64_t>(length);
}

bool SpecialTokens::flag(const char* key, bool usual) const {
  const auto found = config_.find(key);
  if (found == config_.end() || found->is_null()) return usual;
  if (found->is_boolean()) return found->get<bool>();
  throw Error({.where = config_path_.string(),
               .found = fmt::format("{}: {}", key, found->dump()),
               .expected = "true or false"});
}

}  // namespace atelier
