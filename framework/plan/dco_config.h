#pragma once

#include <filesystem>
#include <string>

#include "framework/plan/concept.h"

namespace atelier {

/// Fills photos, captions, initialiser and class word from an entry of DCO's config.json. `entry` "": full_ti, else the
/// only one. Paths in it count from the working folder of its authors, so only their ends are looked up. Lengths of its
/// lists, which the published program does not compare, must agree.
void read_dco_config(const std::filesystem::path& config, const std::string& entry, ConceptFolder& folder);

}  // namespace atelier
