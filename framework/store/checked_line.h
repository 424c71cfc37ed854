#pragma once

#include <string>
#include <string_view>

#include "framework/core/json.h"

namespace atelier {

/// One line of a file that processes append to: a JSON object whose first member "sum" holds the first 16 digits of the
/// SHA-256 of the object's text without it. Ends with a newline. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string checked_line(const Json& object);

/// The object, without "sum". `line` has no newline. Throws Error that says what is wrong with the line.
[[nodiscard]] Json parse_checked_line(std::string_view line, const std::string& where);

/// The object with a member "sum" over its others, for files that are written once.
[[nodiscard]] Json with_sum(Json object);
/// Throws Error when the object has a "sum" that does not fit its other members.
void check_sum(const Json& object, const std::string& where);

}  // namespace atelier
