#pragma once

#include <cstdio>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/queries.h"

namespace atelier::cli {

/// Failures by class, and of those that are alike one: how many jobs and runs, its error, the command that shows more,
/// and what to do.
void print_failure_summary(std::FILE* file, const std::vector<FailureInfo>& failures);

/// The same: [{"class", "jobs", "runs", "kind", "error", "example", "more"}].
[[nodiscard]] Json failure_summary(const std::vector<FailureInfo>& failures);

}  // namespace atelier::cli
