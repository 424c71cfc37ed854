#include "framework/config/path_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr std::size_t kMostDigits = 9;

[[noreturn]] void fail(std::string found, std::string expected) {
  throw Error({.where = "", .found = std::move(found), .expected = std::move(expected)}, ErrorKind::usage);
}

/// "03" of "{k:03}".
std::size_t width_of(std::string_view format, std::string_view whole) {
  const bool digits = format.size() == 2 && format[0] == '0' && format[1] >= '1' && format[1] <= '9';
  if (!digits) fail(fmt::format("{{{}}}", whole), fmt::format("a width as in {{k:03}}, 1 to {} digits", kMostDigits));
  return static_cast<std::size_t>(format[1] - '0');
}

}  // namespace

const std::vector<std::string>& picture_path_fields() {
  static const std::vector<std::string> fields{"concept", "prompt", "seed", "k"};
  return fields;
}

PathTemplate::PathTemplate(std::string_view text, const std::vector<std::string>& fields) {
  while (!text.empty()) {
    const auto open = text.find_first_of("{}");
    if (open != 0) parts_.push_back({.text = std::string(text.substr(0, open))});
    if (open == std::string_view::npos) return;
    const auto close = text.find('}', open);
    if (text[open] == '}' || close == std::string_view::npos) fail("a brace without its other half", "{field}");
    const auto whole = text.substr(open + 1, close - open - 1);
    const auto colon = whole.find(':');
    Part part{.text = std::string(whole.substr(0, colon)), .field = true};
    if (std::ranges::find(fields, part.text) == fields.end()) {
      fail(fmt::format("{{{}}}", part.text), "one of {" + join(fields, "}, {") + "}");
    }
    if (colon != std::string_view::npos) part.width = width_of(whole.substr(colon + 1), whole);
    if (part.width > 0 && part.text != "k" && part.text != "seed") {
      fail(fmt::format("{{{}}}", whole), "a width for numbers alone: k and seed");
    }
    parts_.push_back(std::move(part));
    text.remove_prefix(close + 1);
  }
}

bool PathTemplate::has(std::string_view field) const {
  return std::ranges::any_of(parts_, [&](const Part& part) { return part.field && part.text == field; });
}

std::string PathTemplate::path(const std::map<std::string, std::string>& values) const {
  std::string path;
  for (const Part& part : parts_) {
    if (!part.field) {
      path += part.text;
      continue;
    }
    const std::string& value = values.at(part.text);
    if (value.size() < part.width) path.append(part.width - value.size(), '0');
    path += value;
  }
  return path;
}

}  // namespace atelier
