#pragma once

#include <string>
#include <string_view>

namespace atelier {

/// A name from a foreign file as it may stand in a message: in double quotes, control characters escaped, bytes that
/// are not UTF-8 replaced, cut after 120 bytes.
[[nodiscard]] std::string quote(std::string_view name);

}  // namespace atelier
