#include "framework/cli/margins.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"

namespace atelier::cli {

std::map<std::string, double> read_margins(const std::vector<std::string>& texts) {
  std::map<std::string, double> margins;
  for (const auto& text : texts) {
    const auto sign = text.find('=');
    const Json value = sign == std::string::npos ? Json() : Json::parse(text.substr(sign + 1), nullptr, false);
    if (!value.is_number() || value.get<double>() <= 0.0 || !std::isfinite(value.get<double>())) {
      throw Error({.where = "--margin", .found = text, .expected = "METRIC=NUMBER above 0, e.g. clip_i=0.02"},
                  ErrorKind::usage);
    }
    if (!margins.emplace(text.substr(0, sign), value.get<double>()).second) {
      throw Error({.where = "--margin", .found = text.substr(0, sign) + " twice", .expected = "each metric once"},
                  ErrorKind::usage);
    }
  }
  return margins;
}

}  // namespace atelier::cli
