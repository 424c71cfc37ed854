#pragma once

#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/image/image.h"
#include "framework/store/store.h"

namespace atelier::reports {

/// Pictures under their masks, for a person to check: one prompt's, or the concept's photos.
struct MaskRow {
  std::string label;               ///< "photos", or the prompt's id
  std::string text;                ///< the prompt with {}; of photos, for which evaluations
  std::vector<double> foreground;  ///< share of each picture's pixels that reach the threshold
  std::vector<Image> cells;        ///< of each picture that is shown; one that cannot be read is grey
};

struct MaskSheetOptions {
  int side = 128;           ///< of the square that holds a picture, in pixels
  std::size_t columns = 8;  ///< pictures of a prompt; of photos all
};

/// The masks that a run was scored with, photos first, in the manifest's order; those that are not made yet are left
/// out. The background is darkened and the foreground's outline drawn, at the threshold that the evaluation sets.
[[nodiscard]] std::vector<MaskRow> read_mask_rows(const Store& store, const Json& manifest, const std::string& run,
                                                  const MaskSheetOptions& options);
/// Rows below each other, white between. Throws Error (usage) when there is nothing to draw and when the result would
/// exceed kMaxPixels.
[[nodiscard]] Image draw_mask_rows(const std::vector<MaskRow>& rows, int side);

}  // namespace atelier::reports
