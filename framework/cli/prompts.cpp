#include "framework/cli/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"

namespace atelier::cli {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Length of the well-formed sequence at `at` (Unicode 15, table 3-7), or 0.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xBF; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool beyond = first == 0xF4 && byte(1) > 0x8F;
    return continues(1) && continues(2) && continues(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(text, at);
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

std::string read_text(const std::string& path) {
  const std::string text = path == "-"
                               ? std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>())
                               : read_text_file(path);
  const std::size_t bad = find_invalid_utf8(text);
  if (bad == std::string_view::npos) return text;
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
  throw Error({.where = fmt::format("{}:{}", path == "-" ? "standard input" : path, line),
               .found = fmt::format("byte 0x{:02x} at offset {}", static_cast<unsigned char>(text[bad]), bad),
               .expected = "UTF-8"},
              ErrorKind::usage);
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::vector<std::string> read_prompts(const std::string& path) {
  const std::string text = read_text(path);
  std::vector<std::string> prompts;
  for (auto& line :
       split_lines(text.starts_with(kByteOrderMark) ? std::string_view(text).substr(3) : std::string_view(text))) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) prompts.push_back(std::move(line));
  }
  if (prompts.empty())
    throw Error({.where = path, .found = "no prompt", .expected = "one prompt a line"}, ErrorKind::usage);
  return prompts;
}

}  // namespace atelier::cli
