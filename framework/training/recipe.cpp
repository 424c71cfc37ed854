#include "framework/training/recipe.h"

namespace atelier {

std::optional<std::int64_t> ImageRecipe::outcomes(Size photo) const {
  if (rotate_probability > 0.0 || brightness != 0.0 || contrast != 0.0) return std::nullopt;
  if (scale && scale->random) return std::nullopt;
  const Size resized = train_resized_size(photo, transform);
  if (!scale && random_crop && (resized.width > transform.size || resized.height > transform.size)) return std::nullopt;
  return flip_probability > 0.0 && flip_probability < 1.0 ? 2 : 1;
}

}  // namespace atelier
