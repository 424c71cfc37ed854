#include "framework/training/picture_recipe.h"

#include "framework/image/normalise.h"

namespace atelier {
namespace {

double around(double centre, double spread, double uniform) { return centre + spread * (2.0 * uniform - 1.0); }

void draw_crop(const ImageRecipe& recipe, Size photo, Draws& draws, TrainDraws& transform) {
  const Size resized = train_resized_size(photo, recipe.transform, transform);
  const std::int64_t rows = resized.height - recipe.transform.size, columns = resized.width - recipe.transform.size;
  transform.crop_top = static_cast<int>(draws.below("crop_top", rows + 1));
  transform.crop_left = static_cast<int>(draws.below("crop_left", columns + 1));
}

}  // namespace

PictureDraws draw_picture(const ImageRecipe& recipe, Size photo, Draws& draws) {
  PictureDraws drawn;
  if (recipe.rotate_probability > 0.0 && draws.happens("rotate", recipe.rotate_probability)) {
    drawn.transform.rotate = around(0.0, recipe.rotate_degrees, draws.uniform("rotate_angle"));
  }
  if (recipe.flip_probability > 0.0) drawn.transform.flip = draws.happens("flip", recipe.flip_probability);
  if (recipe.scale) {
    drawn.place = draw_place(*recipe.scale, recipe.transform.size, draws);
  } else if (recipe.random_crop) {
    draw_crop(recipe, photo, draws, drawn.transform);
  }
  if (recipe.brightness == 0.0 && recipe.contrast == 0.0) return drawn;
  Jitter jitter;
  if (recipe.brightness != 0.0) jitter.brightness = around(1.0, recipe.brightness, draws.uniform("brightness"));
  if (recipe.contrast != 0.0) jitter.contrast = around(1.0, recipe.contrast, draws.uniform("contrast"));
  jitter.brightness_first = draws.happens("jitter_order", 0.5);
  drawn.jitter = jitter;
  return drawn;
}

PictureDraws plain_picture(const ImageRecipe& recipe) {
  PictureDraws draws;
  if (recipe.scale) draws.place = PhotoPlace{.side = recipe.transform.size};
  return draws;
}

PixelValues recipe_pixels(const Image& photo, const ImageRecipe& recipe, const PictureDraws& draws, int threads) {
  Image picture = draws.place ? scaled_photo(photo, recipe.transform, draws.transform, *draws.place, threads)
                              : train_picture(photo, recipe.transform, draws.transform, threads);
  if (draws.jitter) jitter_(picture, *draws.jitter);
  PixelValues pixels = image_detail::normalise(picture, image_detail::kHalf, image_detail::unit_value);
  return draws.place ? on_canvas(pixels, *draws.place, recipe.transform.size) : pixels;
}

}  // namespace atelier
