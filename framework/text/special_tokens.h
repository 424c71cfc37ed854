#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace atelier {

/// What special_tokens_map.json and tokenizer_config.json of a tokenizer's folder say; both are optional, the first
/// goes before the second. Every member throws Error with file and key for a value of another type.
class SpecialTokens {
 public:
  explicit SpecialTokens(const std::filesystem::path& folder);

  /// The token of a key such as "pad_token"; `usual` where neither file names one.
  [[nodiscard]] std::string text(const char* key, const std::string& usual) const;
  [[nodiscard]] std::vector<std::string> additional() const;
  /// tokenizer_config.json: model_max_length, `usual` where it is absent or so large that it says "no limit".
  [[nodiscard]] std::int64_t model_length(std::int64_t usual) const;
  /// A switch of tokenizer_config.json.
  [[nodiscard]] bool flag(const char* key, bool usual) const;
  [[nodiscard]] const nlohmann::json& config() const { return config_; }

 private:
  std::filesystem::path map_path_, config_path_;
  nlohmann::json map_, config_;
};

/// The object in a file; an empty one where there is no file. Throws Error for anything but an object.
[[nodiscard]] nlohmann::json optional_json_object(const std::filesystem::path& path);
/// A token that a file writes as a string or an object with `content`; empty for null, which says nothing.
[[nodiscard]] std::string special_text(const nlohmann::json& value, const std::string& key,
                                       const std::filesystem::path& path);

}  // namespace atelier
