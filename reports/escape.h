#pragma once

#include <string>
#include <string_view>

namespace atelier::reports {

/// Text of any origin as text of HTML, also inside a quoted attribute. Bytes that are not UTF-8, control characters and
/// those that turn the direction of what follows become U+FFFD; line ends and tabs stay.
[[nodiscard]] std::string escape_html(std::string_view text);

/// Text of any origin as one line of LaTeX, with no package and in every font encoding: nothing in it is a command,
/// ends a cell or a line, or joins to a ligature. Latin letters with accents stay as UTF-8; a sign that pdfTeX would
/// stop at becomes its number, "[U+4E2D]".
[[nodiscard]] std::string escape_tex(std::string_view text);

/// Bytes as base64, as a data: address holds them.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace atelier::reports
