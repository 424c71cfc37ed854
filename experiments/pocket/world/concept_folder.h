#pragma once

#include <filesystem>

#include "experiments/pocket/world/concepts.h"

namespace atelier::pocket {

/// Writes a concept as Atelier reads them (docs/concepts.md): 00.png …, masks/00.png …, concept.yaml with the class
/// word, its kind, and for each photo a caption, the same with the class word, and the mask. Files of these names are
/// replaced.
void write_concept_folder(const Concept& what, const std::filesystem::path& folder);

}  // namespace atelier::pocket
