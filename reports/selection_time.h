#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "framework/store/index.h"
#include "reports/selection.h"

namespace atelier::reports {

/// When a rule was stored, beside when the pictures came that it decides about.
struct SelectionTime {
  std::string stored;         ///< first use of a plan of this study that holds the rule, UTC
  std::string first_picture;  ///< of a test concept, anchors aside; empty: there is none yet
  std::int64_t before = 0;    ///< sets of pictures of test concepts that were there before the rule
};

/// None where the store does not tell when the study was used, as in an imported bundle.
[[nodiscard]] std::optional<SelectionTime> selection_time(Index& index, const std::string& manifest,
                                                          const Selection& selection);

/// A sentence for the caption.
[[nodiscard]] std::string sentence_of(const SelectionTime& time);

}  // namespace atelier::reports
