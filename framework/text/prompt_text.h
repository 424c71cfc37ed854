#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atelier {

/// Throws Error with `where` and the byte offset of the first byte that is not UTF-8.
void require_utf8(std::string_view text, const std::string& where);

/// What CLIP's tokenizer does to text before it splits it: NFC, each run of whitespace one space, none at the ends,
/// every code point lower-cased by itself (so no final sigma: what the `tokenizers` library does, not Python's
/// str.lower). `text` is UTF-8.
[[nodiscard]] std::u32string normalize_prompt(std::string_view text);

/// CLIP's pattern on normalised text, each piece in UTF-8:
/// <|startoftext|> | <|endoftext|> | 's | 't | 're | 've | 'm | 'll | 'd | \p{L}+ | \p{N} | [^\s\p{L}\p{N}]+
/// The first two (spelled in capitals: added tokens are gone by now) fall apart into `<|`, word and `|>`, because the
/// reference's byte-level step splits once more by a pattern that does not know them.
[[nodiscard]] std::vector<std::string> split_prompt(std::u32string_view text);

/// Whether the text (UTF-8) begins or ends with whitespace.
[[nodiscard]] bool has_outer_space(std::string_view text);

/// Python's str.lower: the whole text in lower case, with the final sigma.
[[nodiscard]] std::string lower_case(std::string_view text);
/// Each run of what Python's `\s` matches one space, none at the ends.
[[nodiscard]] std::string single_blanks(std::string_view text);
/// Python's string.punctuation.
[[nodiscard]] bool is_ascii_punctuation(char c);
/// Bytes of the character at the front of a text that is not empty; 1 where a character cannot begin.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

}  // namespace atelier
