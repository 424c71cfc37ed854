#include "framework/cli/eval_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/image/settings.h"

namespace atelier::cli {
namespace {

constexpr const char* kFrontEnd = "frontend.";

void require_one_of(const std::string& key, const std::string& value, const std::vector<std::string>& known) {
  if (std::ranges::count(known, value) > 0) return;
  const auto near = nearest(value, known);
  throw Error({.where = "--set " + key,
               .found = fmt::format("\"{}\"", value),
               .expected = join(known),
               .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
              ErrorKind::usage);
}

/// The value of a setting, checked.
Json checked(const std::string& key, const std::string& value) {
  const auto pictures = image_setting_keys();
  if (key == "text_rule") {
    require_one_of(key, value, {"drop", "class", "edit", "verbatim"});
  } else if (key == "pos_interp") {
    require_one_of(key, value, {"offset0.1", "size"});
  } else if (key.starts_with(kFrontEnd)) {
    static_cast<void>(parse_front_end(value, "--set " + key));
  } else if (std::ranges::count(pictures, key) > 0) {
    FrontEndOptions options;
    apply_image_setting(options, key + "=" + value);
    if (key == "size") return options.size;
    if (key == "threshold") return options.threshold;
  }
  return value;
}

}  // namespace

Json eval_scoring(const ProtocolSpec& protocol, const std::vector<std::string>& settings) {
  Json scoring = protocol.scoring;
  scoring["id"] = protocol.id;
  auto known = scoring_settings(protocol);
  for (const auto* of_studies : {"batch", "mask_text", "photo_masks"}) std::erase(known, of_studies);
  Json changes = Json::object();
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) {
      throw Error({.where = "--set", .found = fmt::format("'{}'", setting), .expected = "KEY=VALUE"}, ErrorKind::usage);
    }
    const auto key = setting.substr(0, equals);
    require_one_of("KEY", key, known);
    if (changes.contains(key)) {
      throw Error({.where = "--set " + key, .found = "given twice", .expected = "once"}, ErrorKind::usage);
    }
    changes[key] = checked(key, setting.substr(equals + 1));
  }
  change_scoring(scoring, changes, "--set");
  return scoring;
}

}  // namespace atelier::cli
