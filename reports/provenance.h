#pragma once

#include <string>

#include "framework/store/index.h"
#include "framework/store/store.h"
#include "reports/pictures.h"

namespace atelier::reports {

/// Where the numbers come from, as HTML: manifest, placement, base models, what was computed on what, and every run
/// with its state and keys. Names no machine, and of paths only the last part.
[[nodiscard]] std::string provenance_html(Index& index, const Store& store, const std::string& manifest);

/// The study's text as it was run, and what the command line changed in it.
[[nodiscard]] std::string study_text_html(const Json& manifest);

/// The licence and attribution files beside the photos (in a concept's folder and the one above it), and `data_texts`,
/// the product's own, as HTML.
[[nodiscard]] std::string licences_html(const std::vector<ConceptGrid>& grids, const std::string& data_texts);

}  // namespace atelier::reports
