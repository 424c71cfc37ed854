#pragma once

#include <string>
#include <vector>

#include "reports/table.h"

namespace atelier::reports {

/// The tables that the study names, in byte order.
[[nodiscard]] std::vector<std::string> table_names(Index& index, const std::string& manifest);
/// What the study's table of that name shows; "": its only one, else one of defaults. Throws Error (usage, `--table`)
/// when it names none such.
[[nodiscard]] TableRequest study_request(Index& index, const std::string& manifest, const std::string& name);

}  // namespace atelier::reports
