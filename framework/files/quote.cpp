#include "framework/files/quote.h"

#include <nlohmann/json.hpp>

namespace atelier {

std::string quote(std::string_view name) {
  constexpr std::size_t kLimit = 120;
  const nlohmann::json text(std::string(name.substr(0, kLimit)));
  return text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + (name.size() > kLimit ? "…" : "");
}

}  // namespace atelier
