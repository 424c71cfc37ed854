#include "framework/image/train.h"

#include <algorithm>

#include "framework/image/normalise.h"

namespace atelier {
namespace {

Size target_size(Size picture, const TrainTransform& transform) {
  return transform.squash ? Size{transform.size, transform.size} : shortest_edge(picture, transform.size);
}

Box square_box(Size picture) {
  const int side = std::min(picture.width, picture.height);
  return centre_box(picture, {side, side}, CropRule::hf);
}

Image before_resize(const Image& image, const TrainTransform& transform, const TrainDraws& draws) {
  Image picture = draws.rotate ? rotate_expanded(image, *draws.rotate) : image;
  return transform.centre_square ? crop(picture, square_box(picture.size())) : picture;
}

Box crop_box(Size picture, int size, const TrainDraws& draws) {
  const Box centre = centre_box(picture, {size, size}, CropRule::tv);
  return {draws.crop_left.value_or(centre.left), draws.crop_top.value_or(centre.top), size, size};
}

}  // namespace

Size train_resized_size(Size picture, const TrainTransform& transform, const TrainDraws& draws) {
  if (draws.rotate) picture = rotated_size(picture, *draws.rotate);
  if (transform.centre_square) picture.width = picture.height = std::min(picture.width, picture.height);
  return target_size(picture, transform);
}

Box train_crop(Size picture, const TrainTransform& transform, const TrainDraws& draws) {
  const Size resized = train_resized_size(picture, transform, draws);
  Box box = crop_box(resized, transform.size, draws);
  if (draws.flip && !transform.flip_before_crop) box.left = resized.width - box.width - box.left;
  return box;
}

Image train_picture(const Image& image, const TrainTransform& transform, const TrainDraws& draws, int threads) {
  const Image whole = before_resize(image, transform, draws);
  const Image resized = resize(whole, target_size(whole.size(), transform), transform.method, threads);
  const Box box = crop_box(resized.size(), transform.size, draws);
  if (!draws.flip) return crop(resized, box);
  return transform.flip_before_crop ? crop(flip_horizontal(resized), box) : flip_horizontal(crop(resized, box));
}

PixelValues train_pixels(const Image& image, const TrainTransform& transform, const TrainDraws& draws, int threads) {
  return image_detail::normalise(train_picture(image, transform, draws, threads), image_detail::kHalf,
                                 image_detail::unit_value);
}

}  // namespace atelier
