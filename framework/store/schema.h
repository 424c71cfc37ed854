#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "framework/store/database.h"

namespace atelier {

inline constexpr std::int64_t kIndexApplication = 0x41544c52;  // "ATLR"
inline constexpr std::int64_t kIndexVersion = 4;  // raise with every change of the tables or of what is put into them

/// The tables whose content is the same however it was ingested, in the order of the dump.
inline constexpr std::array<std::string_view, 21> kContentTables{
    "study",     "study_use", "run",          "run_artifact", "stage",      "stage_output", "stage_evaluation",
    "stage_run", "attempt",   "attempt_key",  "attempt_end",  "published",  "event",        "artifact",
    "image",     "score",     "scored_image", "pair_score",   "text_score", "set_score",    "anchor"};

void create_schema(Database& database);
/// Whether the file was made by this version of the program.
[[nodiscard]] bool has_schema(Database& database);
[[nodiscard]] bool is_empty(Database& database);

}  // namespace atelier
