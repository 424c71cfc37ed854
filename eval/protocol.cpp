#include "eval/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/settings.h"

namespace atelier::eval {
namespace {

constexpr std::int64_t kMostRows = 4096;
constexpr std::array<std::pair<std::string_view, TextRule>, 4> kTextRules{{
    {"drop", TextRule::drop},
    {"class", TextRule::class_word},
    {"edit", TextRule::edit},
    {"verbatim", TextRule::verbatim},
}};

[[noreturn]] void refuse(const std::string& where, const std::string& found, const std::string& expected) {
  throw Error({.where = where, .found = found, .expected = expected}, ErrorKind::usage);
}

/// Throws for a key that is not in `known`, with the nearest one.
void check_keys(const Json& json, const std::vector<std::string>& known, const std::string& where) {
  if (!json.is_object()) refuse(where, json.dump(), "an object");
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const std::string near = nearest(key, known);
    throw Error({.where = where + ": " + key,
                 .found = "an unknown key",
                 .expected = join(known),
                 .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                ErrorKind::usage);
  }
}

std::string text_of(const Json& json, const char* key, const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) {
    refuse(where + ": " + key, found == json.end() ? "nothing" : found->dump(), "a text");
  }
  return found->get<std::string>();
}

std::set<std::string> texts_of(const Json& json, const char* key, const std::vector<std::string>& known,
                               const std::string& where) {
  std::set<std::string> texts;
  const auto found = json.find(key);
  if (found == json.end()) return texts;
  for (const Json& item : *found) {
    if (!item.is_string() || std::ranges::find(known, item.get<std::string>()) == known.end()) {
      refuse(where + ": " + key, item.dump(), "some of " + join(known));
    }
    texts.insert(item.get<std::string>());
  }
  return texts;
}

TextRule text_rule_of(const std::string& id, const std::string& where) {
  for (const auto& [name, rule] : kTextRules) {
    if (name == id) return rule;
  }
  refuse(where + ": text_rule", id, "drop, class, edit or verbatim");
}

std::optional<std::int64_t> side_of(const Json& json, const std::string& where) {
  const Json side = json.value("side", Json());
  if (side.is_null()) return std::nullopt;
  if (!side.is_number_integer() || side < 16 || side > 4096) {
    refuse(where + ": side", side.dump(), "pixels: an integer from 16 to 4096");
  }
  return side.get<std::int64_t>();
}

EncoderUse encoder_use(const Json& json, const std::string& where) {
  check_keys(json, {"front_end", "reference_front_end", "scores", "side"}, where);
  auto scores =
      texts_of(json, "scores", {"image", "text", "image_full", "kid", "fid", "pres", "paired", "change", "div"}, where);
  EncoderUse use{.front_end = parse_front_end(text_of(json, "front_end", where), where + ": front_end"),
                 .image = scores.empty() || scores.contains("image"),
                 .text = scores.empty() || scores.contains("text"),
                 .image_full = scores.contains("image_full"),
                 .side = side_of(json, where)};
  if (json.contains("reference_front_end")) {
    use.reference_front_end =
        parse_front_end(text_of(json, "reference_front_end", where), where + ": reference_front_end");
  }
  for (const auto* other : {"image", "text", "image_full"}) scores.erase(other);
  use.sets = std::move(scores);
  return use;
}

/// "KEY=VALUE" of one picture setting.
std::string assignment(const std::string& key, const Json& value, const std::string& where) {
  if (value.is_string()) return key + "=" + value.get<std::string>();
  if (value.is_number_integer()) return fmt::format("{}={}", key, value.get<std::int64_t>());
  refuse(where + ": " + key, value.dump(), "a text or an integer");
}

void read_pictures(const Json& json, Protocol& protocol, const std::string& where) {
  protocol.size_from_generated = true;
  if (json.is_null()) return;
  check_keys(json, {"exif", "alpha", "fill", "threshold", "size", "resize"}, where);
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) continue;
    apply_image_setting(protocol.pictures, assignment(key, value, where));
    if (key == "size") protocol.size_from_generated = false;
  }
}

std::int64_t rows_of(const Json& json, const std::string& where) {
  const Json rows = json.value("batch", Json(8));
  if (!rows.is_number_integer() || rows.get<std::int64_t>() < 1 || rows.get<std::int64_t>() > kMostRows) {
    refuse(where + ": batch", rows.dump(), fmt::format("an integer from 1 to {}", kMostRows));
  }
  return rows.get<std::int64_t>();
}

std::optional<double> scale_of(const Json& json, const std::string& where) {
  const Json scale = json.value("text_scale", Json());
  if (scale.is_null()) return std::nullopt;
  if (!scale.is_number() || scale.get<double>() <= 0) refuse(where + ": text_scale", scale.dump(), "a number above 0");
  return scale.get<double>();
}

PositionInterpolation positions_of(const Json& json, const std::string& where) {
  if (!json.contains("pos_interp")) return PositionInterpolation::offset;
  const auto name = text_of(json, "pos_interp", where);
  if (name == "offset0.1") return PositionInterpolation::offset;
  if (name == "size") return PositionInterpolation::size;
  refuse(where + ": pos_interp", name, "offset0.1 or size");
}

bool flag_of(const Json& json, const char* key, const std::string& where) {
  const Json flag = json.value(key, Json(false));
  if (!flag.is_boolean()) refuse(where + ": " + key, flag.dump(), "true or false");
  return flag.get<bool>();
}

bool blank(char character) { return std::isspace(static_cast<unsigned char>(character)) != 0; }

std::string tidied(const std::string& text) {
  std::string tidy;
  for (const char character : text) {
    if (!blank(character)) {
      tidy += character;
    } else if (!tidy.empty() && tidy.back() != ' ') {
      tidy += ' ';
    }
  }
  if (tidy.ends_with(' ')) tidy.pop_back();
  return tidy;
}

}  // namespace

Protocol Protocol::from_json(const Json& json, const std::string& where) {
  check_keys(json,
             {"id", "text_rule", "generated", "batch", "encoders", "image", "set_scores", "masked", "text_scale",
              "pos_interp", "against"},
             where);
  Protocol protocol;
  protocol.settings = json;
  protocol.id = text_of(json, "id", where);
  protocol.text_rule = text_rule_of(text_of(json, "text_rule", where), where);
  protocol.batch = rows_of(json, where);
  protocol.set_scores = texts_of(json, "set_scores", {"gbar_norm", "clip_t_paper"}, where);
  protocol.masked = flag_of(json, "masked", where);
  protocol.text_scale = scale_of(json, where);
  protocol.positions = positions_of(json, where);
  if (json.contains("against")) {
    const auto against = text_of(json, "against", where);
    if (against != "base") refuse(where + ": against", against, "base");
    protocol.against_base = true;
  }
  read_pictures(json.value("image", Json()), protocol, where + ": image");
  const Json encoders = json.value("encoders", Json());
  if (!encoders.is_object() || encoders.empty()) refuse(where + ": encoders", encoders.dump(), "at least one encoder");
  for (const auto& [role, use] : encoders.items()) {
    protocol.encoders[role] = encoder_use(use, where + ": encoders." + role);
  }
  for (const auto& [role, use] : protocol.encoders) {
    if (protocol.against_base || (!use.sets.contains("paired") && !use.sets.contains("change"))) continue;
    refuse(where + ": encoders." + role + ": scores", "paired or change", "against: base beside them");
  }
  const std::string generated = json.contains("generated") ? text_of(json, "generated", where) : "png8";
  if (generated != "png8" && generated != "float") refuse(where + ": generated", generated, "png8 or float");
  return protocol;
}

Json Protocol::resolved() const {
  const auto rule = std::ranges::find(kTextRules, text_rule, [](const auto& item) { return item.second; });
  const bool squashes =
      std::ranges::any_of(encoders, [](const auto& item) { return item.second.front_end == FrontEnd::ti_tensor; });
  Json json{{"text_rule", rule->first},
            {"exif", pictures.exif == ExifRule::apply ? "apply" : "ignore"},
            {"alpha", alpha_text(pictures.alpha)},
            {"fill", colour_text(pictures.fill)},
            {"threshold", pictures.threshold},
            {"size", squashes ? Json(pictures.size) : Json()},
            {"resize", pictures.resize == ResizeMethod::t_bicubic ? "t-bicubic" : "t-bicubic-aa"},
            {"pos_interp", positions == PositionInterpolation::offset ? "offset0.1" : "size"}};
  for (const auto& [role, use] : encoders) json["frontend." + role] = front_end_id(use.front_end);
  return json;
}

std::string scoring_text(TextRule rule, const std::string& text, const std::string& class_word) {
  std::string filled = text;
  const std::string word = rule == TextRule::drop ? "" : class_word;
  for (auto at = filled.find("{}"); at != std::string::npos; at = filled.find("{}", at + word.size())) {
    filled.replace(at, 2, word);
  }
  return tidied(filled);
}

}  // namespace atelier::eval
