#include "framework/image/settings.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr const char* kColours = "black, white, grey or #rrggbb";

[[noreturn]] void refuse(const std::string& where, std::string_view found, std::string expected) {
  throw Error({.where = where, .found = fmt::format("\"{}\"", found), .expected = std::move(expected)},
              ErrorKind::usage);
}

int parse_int(std::string_view text, int low, int high, const std::string& where) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    refuse(where, text, fmt::format("a whole number from {} to {}", low, high));
  }
  return value;
}

/// The value that belongs to one of two words.
template <typename Value>
Value either(std::string_view text, std::pair<std::string_view, Value> first, std::pair<std::string_view, Value> second,
             const std::string& where) {
  if (text == first.first) return first.second;
  if (text == second.first) return second.second;
  refuse(where, text, fmt::format("{} or {}", first.first, second.first));
}

AlphaRule parse_alpha(std::string_view text, const std::string& where) {
  using Kind = AlphaRule::Kind;
  if (text == "refuse") return {Kind::refuse, {}};
  if (text == "drop") return {Kind::drop, {}};
  if (text == "official") return {Kind::official, {}};
  try {
    return {Kind::colour, parse_colour(text, where)};
  } catch (const Error&) {
    refuse(where, text, fmt::format("refuse, drop, official, {}", kColours));
  }
}

[[noreturn]] void refuse_key(std::string_view key) {
  const auto keys = image_setting_keys();
  const std::string near = nearest(key, keys);
  throw Error({.where = fmt::format("--set {}", key),
               .found = "unknown key",
               .expected = "one of " + join(keys),
               .advice = near.empty() ? "" : "did you mean " + near + "?"},
              ErrorKind::usage);
}

}  // namespace

std::vector<std::string> image_setting_keys() {
  return {"exif", "alpha", "fill", "threshold", "size", "resize", "role"};
}

void apply_image_setting(FrontEndOptions& options, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) refuse("--set", assignment, "KEY=VALUE");
  const std::string_view key = assignment.substr(0, equals);
  const std::string_view value = assignment.substr(equals + 1);
  const std::string where = fmt::format("--set {}", key);
  if (key == "exif") {
    options.exif = either<ExifRule>(value, {"apply", ExifRule::apply}, {"ignore", ExifRule::ignore}, where);
  } else if (key == "alpha") {
    options.alpha = parse_alpha(value, where);
  } else if (key == "fill") {
    options.fill = parse_colour(value, where);
  } else if (key == "threshold") {
    options.threshold = parse_int(value, 0, 255, where);
  } else if (key == "size") {
    options.size = parse_int(value, 1, 16384, where);
  } else if (key == "resize") {
    options.resize = either<ResizeMethod>(value, {"t-bicubic", ResizeMethod::t_bicubic},
                                          {"t-bicubic-aa", ResizeMethod::t_bicubic_aa}, where);
  } else if (key == "role") {
    options.role = either<TiRole>(value, {"reference", TiRole::reference}, {"generated", TiRole::generated}, where);
  } else {
    refuse_key(key);
  }
}

Colour parse_colour(std::string_view text, const std::string& where) {
  if (text == "black") return {0, 0, 0};
  if (text == "white") return {255, 255, 255};
  if (text == "grey") return {0x7b, 0x75, 0x68};
  unsigned value = 0;
  if (text.size() != 7 || text[0] != '#') refuse(where, text, kColours);
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + 7, value, 16);
  if (error != std::errc() || end != text.data() + 7) refuse(where, text, kColours);
  return {static_cast<std::uint8_t>(value >> 16), static_cast<std::uint8_t>((value >> 8) & 255),
          static_cast<std::uint8_t>(value & 255)};
}

std::string colour_text(Colour colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

std::string alpha_text(const AlphaRule& rule) {
  switch (rule.kind) {
    case AlphaRule::Kind::refuse:
      return "refuse";
    case AlphaRule::Kind::drop:
      return "drop";
    case AlphaRule::Kind::official:
      return "official";
    case AlphaRule::Kind::colour:
      break;
  }
  return colour_text(rule.colour);
}

}  // namespace atelier
