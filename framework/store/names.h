#pragma once

#include <string>
#include <string_view>

namespace atelier {

/// 64 lower-case hexadecimal digits: the only digests that may become part of a path.
[[nodiscard]] bool is_digest(std::string_view text);
/// The same text; throws Error that names `what` ("key", "object") when it is not a digest.
[[nodiscard]] std::string checked_digest(std::string_view text, std::string_view what);

/// 2 × `bytes` random hexadecimal digits from the kernel.
[[nodiscard]] std::string random_hex(std::size_t bytes);
/// A random UUID (RFC 4122, version 4).
[[nodiscard]] std::string random_uuid();

/// Eight digits for this boot and process-id namespace: where they agree, a process id says whether its owner lives.
[[nodiscard]] const std::string& process_domain();
/// "<domain>-<pid>-<random>": the name of a temporary, from which gc learns whose it is.
[[nodiscard]] std::string temporary_name();

enum class Owner { alive, dead, unknown };
/// Who made the temporary of that name, or the one that AtomicFile makes beside it (".<name>.XXXXXX"). `unknown`: on
/// another machine, or a name of another form.
[[nodiscard]] Owner owner_of_temporary(std::string_view name);

}  // namespace atelier
