#include "reports/escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

namespace atelier::reports {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

/// The code point at `at`, which moves behind it; kReplacement for a byte that begins none.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 && first < 0xF5 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first >= 0xF5 || at + static_cast<std::size_t>(more) > text.size()) return kReplacement;
  char32_t code = first & (0x3FU >> more);
  for (int i = 0; i < more; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + static_cast<std::size_t>(i)]);
    if ((byte & 0xC0U) != 0x80) return kReplacement;
    code = (code << 6U) | (byte & 0x3FU);
  }
  constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (code < kLeast[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return kReplacement;
  at += static_cast<std::size_t>(more);
  return code;
}

bool turns_direction(char32_t code) {
  return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

bool is_control(char32_t code) {
  return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0);
}

/// ASCII that LaTeX, or a font's ligatures, would not show as it is.
const char* tex_sign(char32_t code) {
  switch (code) {
    case '\\':
      return "\\textbackslash{}";
    case '{':
      return "\\{";
    case '}':
      return "\\}";
    case '#':
      return "\\#";
    case '$':
      return "\\$";
    case '%':
      return "\\%";
    case '&':
      return "\\&";
    case '_':
      return "\\_";
    case '^':
      return "\\textasciicircum{}";
    case '~':
      return "\\textasciitilde{}";
    case '<':
      return "\\textless{}";
    case '>':
      return "\\textgreater{}";
    case '|':
      return "\\textbar{}";
    case '"':
      return "{\\char34}";
    case '`':
      return "{\\char96}";
    case '[':
      return "{[}";  // behind \\ it would begin an option
    case ']':
      return "{]}";
    case '*':
      return "{*}";  // the same
    case '-':
      return "{-}";
    case '\'':
      return "{'}";
    case ',':
      return "{,}";
    default:
      return nullptr;
  }
}

/// Signs beyond ASCII that reports and names have.
const char* tex_symbol(char32_t code) {
  static const std::map<char32_t, const char*> symbols{{0x00A0, "~"},
                                                       {0x00A7, "\\S{}"},
                                                       {0x00B0, "$^\\circ$"},
                                                       {0x00B1, "$\\pm$"},
                                                       {0x00B5, "$\\mu$"},
                                                       {0x00B6, "\\P{}"},
                                                       {0x00B7, "$\\cdot$"},
                                                       {0x00D7, "$\\times$"},
                                                       {0x0394, "$\\Delta$"},
                                                       {0x03B1, "$\\alpha$"},
                                                       {0x03B2, "$\\beta$"},
                                                       {0x03BB, "$\\lambda$"},
                                                       {0x03C3, "$\\sigma$"},
                                                       {0x2013, "--"},
                                                       {0x2014, "---"},
                                                       {0x2018, "`"},
                                                       {0x2019, "'"},
                                                       {0x201C, "``"},
                                                       {0x201D, "''"},
                                                       {0x2020, "\\dag{}"},
                                                       {0x2021, "\\ddag{}"},
                                                       {0x2026, "\\ldots{}"},
                                                       {0x2190, "$\\leftarrow$"},
                                                       {0x2192, "$\\rightarrow$"},
                                                       {0x2212, "$-$"},
                                                       {0x221A, "$\\surd$"},
                                                       {0x2248, "$\\approx$"},
                                                       {0x2264, "$\\leq$"},
                                                       {0x2265, "$\\geq$"}};
  const auto found = symbols.find(code);
  return found == symbols.end() ? nullptr : found->second;
}

/// Letters that the encodings OT1 and T1 both make.
bool is_latin_letter(char32_t code) {
  return code >= 0xC0 && code <= 0xFF && code != 0xD0 && code != 0xDE && code != 0xF0 && code != 0xFE && code != 0xF7;
}

void append_tex(std::string& out, char32_t code, std::string_view bytes) {
  if (code == '\n' || code == '\t' || code == '\r') {
    out += ' ';
  } else if (const char* sign = tex_sign(code)) {
    out += sign;
  } else if (const char* symbol = tex_symbol(code)) {
    out += symbol;
  } else if ((code < 0x80 && !is_control(code)) || is_latin_letter(code)) {
    out += bytes;
  } else {
    out += fmt::format("{{[}}U+{:04X}{{]}}", static_cast<std::uint32_t>(code));
  }
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto from = at;
    const char32_t code = next_code_point(text, at);
    switch (code) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      case '\r':
        break;
      default:
        if (code == kReplacement || is_control(code) || turns_direction(code)) {
          safe += "\xEF\xBF\xBD";
        } else {
          safe += text.substr(from, at - from);
        }
    }
  }
  return safe;
}

std::string escape_tex(std::string_view text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size();) {
    const auto from = at;
    const char32_t code = next_code_point(text, at);
    append_tex(safe, code, text.substr(from, at - from));
  }
  return safe;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = (group << 8U) | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? kDigits[(group >> (18 - 6 * i)) & 63U] : '=';
  }
  return text;
}

}  // namespace atelier::reports
