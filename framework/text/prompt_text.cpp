#include "framework/text/prompt_text.h"

#include <fmt/format.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <span>

#include "framework/core/error.h"

namespace atelier {
namespace {

enum class Kind { space, letter, number, other };

Kind kind_of(char32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  if (u_isUWhiteSpace(c)) return Kind::space;
  const auto mask = U_GET_GC_MASK(c);
  if ((mask & U_GC_L_MASK) != 0) return Kind::letter;
  return (mask & U_GC_N_MASK) != 0 ? Kind::number : Kind::other;
}

constexpr std::array<std::u32string_view, 7> kContractions = {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};
constexpr std::array<std::u32string_view, 2> kSpecials = {U"<|startoftext|>", U"<|endoftext|>"};

std::size_t length_of_one(std::span<const std::u32string_view> alternatives, std::u32string_view text) {
  for (const auto& alternative : alternatives) {
    if (text.starts_with(alternative)) return alternative.size();
  }
  return 0;
}

std::size_t piece_length(std::u32string_view text) {
  if (const auto contraction = length_of_one(kContractions, text); contraction > 0) return contraction;
  const auto kind = kind_of(text.front());
  std::size_t length = 1;
  if (kind == Kind::number) return length;
  while (length < text.size() && kind_of(text[length]) == kind) ++length;
  return length;
}

icu::UnicodeString composed(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* nfc = icu::Normalizer2::getNFCInstance(status);
  const auto source = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  auto result = nfc == nullptr ? source : nfc->normalize(source, status);
  if (U_FAILURE(status)) throw Error({.where = "ICU", .found = u_errorName(status), .expected = "NFC data"});
  return result;
}

void append_lower(std::u32string& out, UChar32 c) {
  if (c == 0x130) {  // İ: the one unconditional lower-casing to two code points
    out += U"i\u0307";
  } else {
    out += static_cast<char32_t>(u_tolower(c));
  }
}

}  // namespace

void require_utf8(std::string_view text, const std::string& where) {
  if (text.size() > 0x3fffffff) {
    throw Error({.where = where, .found = fmt::format("a text of {} bytes", text.size()), .expected = "at most 1 GiB"});
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto length = static_cast<std::int32_t>(text.size());
  for (std::int32_t i = 0; i < length;) {
    const auto start = i;
    UChar32 c = 0;
    U8_NEXT(bytes, i, length, c);
    if (c < 0) {
      throw Error({.where = where,
                   .found = fmt::format("the byte 0x{:02x} at offset {}, which is not UTF-8", bytes[start], start),
                   .expected = "text in UTF-8",
                   .advice = "convert it, e.g. with iconv"});
    }
  }
}

std::u32string normalize_prompt(std::string_view text) {
  const auto source = composed(text);
  std::u32string out;
  out.reserve(static_cast<std::size_t>(source.length()));
  bool pending_space = false;
  for (std::int32_t i = 0; i < source.length(); i = source.moveIndex32(i, 1)) {
    const auto c = source.char32At(i);
    if (u_isUWhiteSpace(c)) {
      pending_space = !out.empty();
      continue;
    }
    if (pending_space) out += U' ';
    pending_space = false;
    append_lower(out, c);
  }
  return out;
}

std::vector<std::string> split_prompt(std::u32string_view text) {
  std::vector<std::string> pieces;
  const auto take = [&](std::u32string_view piece) {
    auto& out = pieces.emplace_back();
    for (const auto c : piece) append_utf8(out, c);
  };
  while (!text.empty()) {
    if (kind_of(text.front()) == Kind::space) {
      text.remove_prefix(1);
    } else if (const auto special = length_of_one(kSpecials, text); special > 0) {
      take(text.substr(0, 2));
      take(text.substr(2, special - 4));
      take(text.substr(special - 2, 2));
      text.remove_prefix(special);
    } else {
      const auto length = piece_length(text);
      take(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return pieces;
}

bool has_outer_space(std::string_view text) {
  const auto source = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  const auto is_space = [&](std::int32_t i) { return u_isUWhiteSpace(source.char32At(i)) != 0; };
  return !source.isEmpty() && (is_space(0) || is_space(source.length() - 1));
}

std::string lower_case(std::string_view text) {
  auto source = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  std::string out;
  source.toLower(icu::Locale::getRoot()).toUTF8String(out);
  return out;
}

std::string single_blanks(std::string_view text) {
  const auto source = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  std::string out;
  bool pending = false;
  for (std::int32_t i = 0; i < source.length(); i = source.moveIndex32(i, 1)) {
    const auto c = source.char32At(i);
    if (u_isUWhiteSpace(c) || (c >= 0x1c && c <= 0x1f)) {  // the separators of ASCII are blanks to Python alone
      pending = !out.empty();
      continue;
    }
    if (pending) out += ' ';
    pending = false;
    append_utf8(out, static_cast<char32_t>(c));
  }
  return out;
}

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return std::min(length, text.size());
}

void append_utf8(std::string& out, char32_t code_point) {
  std::array<char, 4> bytes{};
  std::int32_t length = 0;
  U8_APPEND_UNSAFE(bytes.data(), length, static_cast<UChar32>(code_point));
  out.append(bytes.data(), static_cast<std::size_t>(length));
}

}  // namespace atelier
