#include "framework/store/checked_line.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"

namespace atelier {
namespace {

constexpr std::size_t kSumDigits = 16;
constexpr std::string_view kStart = R"({"sum":")";
constexpr std::size_t kSumEnd = kStart.size() + kSumDigits;  // the quote behind the sum

std::string sum_of(std::string_view text) { return sha256_hex(text).substr(0, kSumDigits); }

}  // namespace

std::string checked_line(const Json& object) {
  const std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string_view rest = std::string_view(text).substr(1);
  return fmt::format("{}{}\"{}{}\n", kStart, sum_of(text), rest == "}" ? "" : ",", rest);
}

Json parse_checked_line(std::string_view line, const std::string& where) {
  const bool framed = line.size() > kSumEnd + 1 && line.starts_with(kStart) && line[kSumEnd] == '"';
  if (!framed) throw Error({.where = where, .found = "a line without a checksum"});
  std::string_view rest = line.substr(kSumEnd + 1);
  if (rest.front() == ',') rest.remove_prefix(1);
  const std::string text = "{" + std::string(rest);
  if (sum_of(text) != line.substr(kStart.size(), kSumDigits)) {
    throw Error({.where = where, .found = "a line whose checksum does not fit its text"});
  }
  return parse_json(text, where);
}

Json with_sum(Json object) {
  object["sum"] = sum_of(object.dump(-1, ' ', false, Json::error_handler_t::replace));
  return object;
}

void check_sum(const Json& object, const std::string& where) {
  if (!object.is_object() || !object.contains("sum")) return;
  Json rest = object;
  rest.erase("sum");
  if (with_sum(std::move(rest)) == object) return;
  throw Error({.where = where,
               .found = "content that does not fit its checksum",
               .expected = "the text that was written",
               .advice = "run `atelier verify`"});
}

}  // namespace atelier
