#include "framework/core/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"

namespace atelier {
namespace {

constexpr std::size_t kMaxDepth = 128;

/// nlohmann keeps the last of two equal keys; we refuse both, and bound the depth before the stack does.
class Guard {
 public:
  explicit Guard(const std::string& where) : where_(where) {}

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (static_cast<std::size_t>(depth) >= kMaxDepth) {
        throw Error({.where = where_, .found = "JSON nested deeper than 128 levels", .expected = "at most 128 levels"});
      }
      if (event == Event::object_start) keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) {
        throw Error({.where = where_,
                     .found = fmt::format("the key \"{}\" twice in one object", key),
                     .expected = "each key once",
                     .advice = ""});
      }
    }
    return true;
  }

 private:
  const std::string& where_;
  std::vector<std::set<std::string>> keys_;
};

/// Quotes Infinity, -Infinity and NaN where they stand outside a string.
std::string quote_non_numbers(std::string_view text) {
  constexpr std::array<std::string_view, 3> kWords{"-Infinity", "Infinity", "NaN"};
  std::string quoted;
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    const auto* word = std::ranges::find_if(kWords, [&](std::string_view w) { return text.substr(i).starts_with(w); });
    if (!inside && word != kWords.end()) {
      quoted += fmt::format("\"{}\"", *word);
      i += word->size();
      continue;
    }
    if (inside && text[i] == '\\' && i + 1 < text.size())
      quoted += text[i++];  // an escaped quote ends nothing
    else if (text[i] == '"')
      inside = !inside;
    quoted += text[i++];
  }
  return quoted;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  try {
    return Json::parse(text.begin(), text.end(), Guard(where));
  } catch (const Json::exception& error) {
    const auto* parse = dynamic_cast<const Json::parse_error*>(&error);
    throw Error({.where = where,
                 .found = parse != nullptr ? fmt::format("not JSON at byte {}", parse->byte) : error.what(),
                 .expected = "a JSON text in UTF-8",
                 .advice = ""});
  }
}

Json read_json_file(const std::filesystem::path& path) { return parse_json(read_text_file(path), path.string()); }

Json read_python_json_file(const std::filesystem::path& path) {
  return parse_json(quote_non_numbers(read_text_file(path)), path.string());
}

std::string pretty_json(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

const Json& member_or_null(const Json& json, const char* name) {
  static const Json null;
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found == json.end() ? null : *found;
}

}  // namespace atelier
