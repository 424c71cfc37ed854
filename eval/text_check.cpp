#include "eval/text_check.h"

#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier::eval {

void require_text_fits(const std::string& text, std::size_t tokens, std::int64_t extra, std::int64_t length) {
  const auto count = static_cast<std::int64_t>(tokens) + extra;
  if (count <= length) return;
  throw Error({.where = fmt::format("scoring text \"{}\"", text),
               .found = fmt::format("{} tokens", count),
               .expected = fmt::format("at most {}, {} included", length, extra == 1 ? "the end" : "start and end"),
               .advice = "a text that is cut is another question; shorten it"});
}

}  // namespace atelier::eval
