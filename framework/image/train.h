#pragma once

#include <cstdint>
#include <optional>

#include "framework/image/front_ends.h"
#include "framework/image/geometry.h"

namespace atelier {

/// The transform of the diffusers training scripts on one upright RGB picture (load it with alpha=drop): shorter side
/// to `size`, crop, flip, x / 255, (x - 0.5) / 0.5.
struct TrainTransform {
  int size = 512;
  ResizeMethod method = ResizeMethod::pil_bilinear;  ///< one of pil_*
  bool squash = false;  ///< straight to size x size instead, aspect ratio lost (Textual Inversion, CatVersion)
  bool flip_before_crop = false;  ///< AttnDreamBooth flips first; the diffusers scripts crop first
  bool centre_square = false;     ///< first cut the centre square (floor), as Textual Inversion may
};

/// The draws of one access to a picture; the order in which a method makes them is the method's business.
struct TrainDraws {
  std::optional<double> rotate = std::nullopt;  ///< degrees counter-clockwise, expanded canvas, before the resize
  bool flip = false;
  std::optional<int> crop_top = std::nullopt;  ///< both empty: centre crop, half to even
  std::optional<int> crop_left = std::nullopt;
};

/// Size of the picture that is about to be cropped: what a random crop draws its offsets from, in [0, side - size].
[[nodiscard]] Size train_resized_size(Size picture, const TrainTransform& transform, const TrainDraws& draws = {});

/// What is cut out of the resized picture, where that is mirrored out of the mirrored one: as if the flip came first.
[[nodiscard]] Box train_crop(Size picture, const TrainTransform& transform, const TrainDraws& draws = {});

/// [1, 3, size, size] in [-1, 1]. Throws Error when the drawn crop leaves the resized picture.
[[nodiscard]] PixelValues train_pixels(const Image& image, const TrainTransform& transform,
                                       const TrainDraws& draws = {}, int threads = 1);

/// The 8-bit picture just before it becomes floats, [size, size, 3].
[[nodiscard]] Image train_picture(const Image& image, const TrainTransform& transform, const TrainDraws& draws = {},
                                  int threads = 1);

}  // namespace atelier
