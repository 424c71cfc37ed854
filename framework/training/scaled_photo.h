#pragma once

#include "framework/image/train.h"
#include "framework/tensor/tensor.h"
#include "framework/training/draws.h"

namespace atelier {

struct PhotoScale;

/// Where a scaled photo lies: on the canvas or, when it is larger, where the picture lies in it.
struct PhotoPlace {
  int side = 0;
  int top = 0, left = 0;
};

/// Side and place of one access to a photo in a picture of `size` pixels.
[[nodiscard]] PhotoPlace draw_place(const PhotoScale& scale, int size, Draws& draws);

/// The photo, flipped where drawn, squashed to a square of place.side by transform.method; of one that is larger than
/// the picture what lies in it. Throws Error when the place is not in the picture.
[[nodiscard]] Image scaled_photo(const Image& photo, const TrainTransform& transform, const TrainDraws& draws,
                                 const PhotoPlace& place, int threads = 1);

/// [1, 3, n, n] in [-1, 1] on a canvas of zeros: [1, 3, size, size].
[[nodiscard]] PixelValues on_canvas(const PixelValues& photo, const PhotoPlace& place, int size);

/// Where the loss counts, [1, side, side] float32 for latents of `side`: 1 everywhere for a photo that is larger than
/// the picture, else from one latent inside its edges to one latent inside its other edges (rounded down).
[[nodiscard]] Tensor place_mask(const PhotoPlace& place, int size, std::int64_t side);

}  // namespace atelier
