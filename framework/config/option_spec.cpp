#include "framework/config/option_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr double kLargestExactInteger = 9007199254740992.0;  // 2^53: every integer up to here is a double

std::string range_text(const OptionSpec& option) {
  if (option.low && option.high) return fmt::format(" from {} to {}", *option.low, *option.high);
  if (option.low) return fmt::format(" of at least {}", *option.low);
  if (option.high) return fmt::format(" of at most {}", *option.high);
  return "";
}

std::string describe_set_values(const OptionSpec& option) {
  switch (option.type) {
    case OptionType::boolean:
      return "true or false";
    case OptionType::integer:
      return "an integer" + range_text(option);
    case OptionType::real:
      return "a number" + range_text(option);
    case OptionType::choice:
      return "one of " + join(option.choices);
    case OptionType::file:
      return "a path";
    case OptionType::integers:
      return "a list of integers" + range_text(option);
    case OptionType::text:
      break;
  }
  return "a text";
}

bool in_range(const OptionSpec& option, double number) {
  return std::isfinite(number) && !(option.low && number < *option.low) && !(option.high && number > *option.high);
}

/// A whole number written as a real (1e3) counts as the integer it is.
std::optional<std::int64_t> as_integer(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  if (std::abs(number) > kLargestExactInteger || number != std::floor(number)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<Json> integer_value(const OptionSpec& option, const Json& value) {
  const auto number = as_integer(value);
  if (!number || !in_range(option, static_cast<double>(*number))) return std::nullopt;
  return Json(*number);
}

std::optional<Json> integers_value(const OptionSpec& option, const Json& value) {
  if (!value.is_array()) return std::nullopt;
  auto list = Json::array();
  for (const auto& item : value) {
    auto number = integer_value(option, item);
    if (!number) return std::nullopt;
    list.push_back(std::move(*number));
  }
  return list;
}

/// The value in the option's type; nothing where the option cannot have it.
std::optional<Json> typed_value(const OptionSpec& option, const Json& value) {
  switch (option.type) {
    case OptionType::boolean:
      return value.is_boolean() ? std::optional(value) : std::nullopt;
    case OptionType::integer:
      return integer_value(option, value);
    case OptionType::real:
      if (!value.is_number() || !in_range(option, value.get<double>())) return std::nullopt;
      return Json(value.get<double>());
    case OptionType::integers:
      return integers_value(option, value);
    case OptionType::choice:
      if (!value.is_string()) return std::nullopt;
      return std::ranges::count(option.choices, value.get_ref<const std::string&>()) > 0 ? std::optional(value)
                                                                                         : std::nullopt;
    case OptionType::file:
      return value.is_string() && !value.get_ref<const std::string&>().empty() ? std::optional(value) : std::nullopt;
    case OptionType::text:
      break;
  }
  return value.is_string() ? std::optional(value) : std::nullopt;
}

std::string short_dump(const Json& value) {
  constexpr std::size_t kLimit = 60;
  auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kLimit) return text;
  std::size_t cut = kLimit;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;  // not inside a character
  return text.substr(0, cut) + "…";
}

std::string advice_for(const OptionSpec& option, const Json& value) {
  if (option.type == OptionType::choice && value.is_string()) {
    const auto near = nearest(value.get_ref<const std::string&>(), option.choices);
    if (!near.empty()) return fmt::format("did you mean {}?", near);
  }
  const bool textual =
      option.type == OptionType::text || option.type == OptionType::choice || option.type == OptionType::file;
  if (textual && (value.is_number() || value.is_boolean())) return "put it in quotes to make it a text";
  if (option.type == OptionType::boolean && value.is_string()) {
    static const std::array<std::string_view, 4> yes = {"yes", "on", "y", "Yes"};
    static const std::array<std::string_view, 4> no = {"no", "off", "n", "No"};
    const auto& text = value.get_ref<const std::string&>();
    if (std::ranges::count(yes, text) > 0) return "write true";
    if (std::ranges::count(no, text) > 0) return "write false";
  }
  return "";
}

}  // namespace

std::string_view option_type_name(OptionType type) {
  switch (type) {
    case OptionType::boolean:
      return "boolean";
    case OptionType::integer:
      return "integer";
    case OptionType::real:
      return "real";
    case OptionType::choice:
      return "choice";
    case OptionType::file:
      return "file";
    case OptionType::integers:
      return "integers";
    case OptionType::text:
      break;
  }
  return "text";
}

std::string describe_values(const OptionSpec& option) {
  return describe_set_values(option) + (option.value.is_null() ? ", or null for unset" : "");
}

Json check_value(const OptionSpec& option, const Json& value, const std::string& where) {
  // An option that starts unset can be unset again.
  if (value.is_null() && option.value.is_null()) return value;
  auto typed = typed_value(option, value);
  if (typed) return std::move(*typed);
  throw Error({.where = where,
               .found = fmt::format("{}: {}", option.name, short_dump(value)),
               .expected = describe_values(option),
               .advice = advice_for(option, value)},
              ErrorKind::usage);
}

bool holds(const Condition& condition, const Json& options) {
  const auto found = options.find(condition.option);
  const bool equal = found == options.end() ? condition.value.is_null() : *found == condition.value;
  return equal != condition.negated;
}

bool hold(const std::vector<Condition>& conditions, const Json& options) {
  return std::ranges::all_of(conditions, [&](const Condition& condition) { return holds(condition, options); });
}

std::string describe(const Condition& condition) {
  if (condition.value.is_null()) return fmt::format("{} is {}", condition.option, condition.negated ? "set" : "unset");
  const auto value = condition.value.is_string() ? condition.value.get<std::string>() : condition.value.dump();
  return fmt::format("{} {} {}", condition.option, condition.negated ? "is not" : "=", value);
}

}  // namespace atelier
