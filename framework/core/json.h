#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace atelier {

using Json = nlohmann::json;

/// Parses a JSON text of any origin. Throws Error with `where`, the byte offset and what the parser found. Nesting over
/// 128 and duplicate keys are refused, NaN and trailing commas are not JSON.
[[nodiscard]] Json parse_json(std::string_view text, const std::string& where);
[[nodiscard]] Json read_json_file(const std::filesystem::path& path);
/// The same for configs that Python wrote: its json module writes Infinity, -Infinity and NaN bare, which is not JSON.
/// They arrive as strings of that text.
[[nodiscard]] Json read_python_json_file(const std::filesystem::path& path);
/// 2-space indent, keys sorted, one final newline: what the reference libraries write.
[[nodiscard]] std::string pretty_json(const Json& json);

/// The member, or null where there is none or `json` is no object; lives as long as `json`.
[[nodiscard]] const Json& member_or_null(const Json& json, const char* name);

}  // namespace atelier
