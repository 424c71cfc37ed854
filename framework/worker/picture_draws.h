#pragma once

#include <string>

#include "framework/core/json.h"
#include "framework/training/picture_recipe.h"

namespace atelier::worker {

/// The draws of one access to a photo as `probe preprocess --draws-out` writes them: of what the recipe draws, `rotate`
/// (degrees counter-clockwise, null: not turned), `flip`, `crop` [top, left] or `scale` {side, top, left},
/// `brightness`, `contrast` (factors) and `brightness_first`.
[[nodiscard]] Json draws_json(const ImageRecipe& recipe, const PictureDraws& draws);

/// The way back. A part without a key is left out: not turned, not mirrored, cut at the centre, not jittered. Throws
/// Error (usage, `where`) for keys that the recipe does not draw and for values that they cannot have.
[[nodiscard]] PictureDraws draws_from_json(const ImageRecipe& recipe, const Json& json, const std::string& where);

}  // namespace atelier::worker
