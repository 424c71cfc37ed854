#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atelier::cli {

/// The offset of the first byte that is not UTF-8 (overlong forms and surrogates included), or npos.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view text);

/// A file or, for "-", standard input. Throws Error (a usage Error for bytes that are not UTF-8, with line and offset).
[[nodiscard]] std::string read_text(const std::string& path);

/// Lines end at '\n' only; a final '\n' does not begin another line.
[[nodiscard]] std::vector<std::string> split_lines(std::string_view text);

/// One prompt a line: a byte-order mark, '\r' before '\n' and blank lines are left out. Throws when nothing is left.
[[nodiscard]] std::vector<std::string> read_prompts(const std::string& path);

}  // namespace atelier::cli
