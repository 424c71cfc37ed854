#pragma once

#include <cstdint>
#include <string>

namespace atelier::eval {

/// Throws Error when a scoring text has more tokens than an encoder reads, `extra` (start, end) among them: a text that
/// is cut is another question.
void require_text_fits(const std::string& text, std::size_t tokens, std::int64_t extra, std::int64_t length);

}  // namespace atelier::eval
