#pragma once

#include <string>
#include <string_view>

namespace atelier {

// What is done about a failure, by its class (design 10): configuration, method, resource, node, interrupted.

/// How often a job that failed so is tried again within the call, each time in a new worker: a node's fault may be gone
/// elsewhere, and memory may be free once another process holds none of it. A full disk is not tried again.
[[nodiscard]] int retries_of(std::string_view failure, std::string_view text);

/// Whether a later call tries it again without being asked to. What the configuration or the method did wrong it would
/// do wrong again: equal keys give equal results.
[[nodiscard]] bool tried_by_later_calls(std::string_view failure);

/// Whether everything else will fail too: a disk that is full.
[[nodiscard]] bool stops_everything(std::string_view failure, std::string_view text);

/// What failures of one cause have in common: class, kind of job and the text without its numbers, digests and paths.
[[nodiscard]] std::string failure_fingerprint(std::string_view failure, std::string_view kind, std::string_view text);

/// What to do about failures of the class, as part of a sentence.
[[nodiscard]] std::string_view failure_advice(std::string_view failure);

}  // namespace atelier
