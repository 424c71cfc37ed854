#pragma once

#include <string>

namespace atelier::reports {

/// A whole HTML page: style and script are inside, nothing is fetched, and a policy in it forbids any other script and
/// any address. `body` is HTML, `title` text.
[[nodiscard]] std::string page_html(const std::string& title, const std::string& body);

}  // namespace atelier::reports
