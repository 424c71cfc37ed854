#pragma once

#include <optional>

#include "framework/image/jitter.h"
#include "framework/training/draws.h"
#include "framework/training/recipe.h"

namespace atelier {

/// What was drawn for one access to a photo.
struct PictureDraws {
  TrainDraws transform;
  std::optional<Jitter> jitter;
};

/// Makes the recipe's draws for a photo of this size. A part that the recipe leaves out draws nothing.
[[nodiscard]] PictureDraws draw_picture(const ImageRecipe& recipe, Size photo, Draws& draws);

/// The training picture: 8-bit transform, then colour jitter, then [1, 3, size, size] in [-1, 1].
[[nodiscard]] PixelValues recipe_pixels(const Image& photo, const ImageRecipe& recipe, const PictureDraws& draws,
                                        int threads = 1);

}  // namespace atelier
