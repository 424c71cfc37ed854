#pragma once

#include <optional>

#include "framework/image/jitter.h"
#include "framework/training/draws.h"
#include "framework/training/recipe.h"
#include "framework/training/scaled_photo.h"

namespace atelier {

/// What was drawn for one access to a photo.
struct PictureDraws {
  TrainDraws transform;
  std::optional<Jitter> jitter;
  std::optional<PhotoPlace> place;  ///< of the photo in the picture, where the recipe scales it
};

/// Makes the recipe's draws for a photo of this size. A part that the recipe leaves out draws nothing.
[[nodiscard]] PictureDraws draw_picture(const ImageRecipe& recipe, Size photo, Draws& draws);

/// The picture that the recipe makes without any random part.
[[nodiscard]] PictureDraws plain_picture(const ImageRecipe& recipe);

/// The training picture: 8-bit transform (or the scaled photo), then colour jitter, then [1, 3, size, size] in [-1, 1].
[[nodiscard]] PixelValues recipe_pixels(const Image& photo, const ImageRecipe& recipe, const PictureDraws& draws,
                                        int threads = 1);

}  // namespace atelier
