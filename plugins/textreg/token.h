#pragma once

#include "framework/methods/learned_token.h"
#include "plugins/textreg/settings.h"

namespace atelier::textreg {

/// The rows that the identifier starts from, one for each text encoder: row `initializer_id` of the token table, or
/// that of the class word's last token. Throws Error (usage) where the table has no such row.
[[nodiscard]] TokenRows identifier_rows(Session& session, const Settings& settings);

/// The identifier of the file that resume_ti_embedding_path names, under the names of parameters. Throws Error where
/// the file does not hold it for every text encoder.
[[nodiscard]] TensorMap read_identifier(const std::string& path, Session& session, const std::string& placeholder);

}  // namespace atelier::textreg
