#pragma once

#include <string>
#include <vector>

#include "framework/plan/prompt_catalog.h"

namespace atelier::cli {

/// A protocol's scoring, with its id and what --set changes. Throws Error (usage) naming `--set KEY` for a key that is
/// unknown or given twice, and for a wrong value.
[[nodiscard]] Json eval_scoring(const ProtocolSpec& protocol, const std::vector<std::string>& settings);

}  // namespace atelier::cli
