#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "framework/image/train.h"

namespace atelier {

/// The photo at another size in the picture, as Custom Diffusion trains (Kumari et al. 2023, arXiv:2212.04488): the
/// whole photo, squashed to a square of another side. Smaller ones lie somewhere on a grey canvas (0 after
/// normalisation); of larger ones some place is cut out. Draws `scale_shrinks`, `scale_side`, `scale_top`,
/// `scale_left`.
///
/// Rows of the batch then have a mask, 1 where the loss counts: everything, or the photo without its outermost latents.
struct PhotoScale {
  bool random = true;  ///< false: the photo as large as the picture; it is squashed and has a mask all the same
  double shrink_probability = 0.66;
  std::int64_t smallest_divisor = 3;                 ///< shrunk: side uniform in [size / divisor, size]
  double enlarged_from = 1.2, enlarged_below = 1.4;  ///< enlarged: uniform in [from · size, below · size)
};

/// How a method makes a training picture from a photo: the transform, and which of its parts are drawn anew at every
/// access (draws `flip`, `rotate`, `rotate_angle`, `brightness`, `contrast`, `jitter_order`, `crop_top`, `crop_left`).
struct ImageRecipe {
  TrainTransform transform;
  double flip_probability = 0.0;
  bool random_crop = false;  ///< where the resized picture is larger than the crop; else a centre crop
  double rotate_probability = 0.0;
  double rotate_degrees = 0.0;  ///< angle uniform in [-degrees, degrees]
  double brightness = 0.0;      ///< factor uniform in [1 - b, 1 + b]
  double contrast = 0.0;        ///< factor uniform in [1 - c, 1 + c]; order of the two drawn, 8-bit rounding after each
  ExifRule exif = ExifRule::apply;
  std::optional<PhotoScale> scale = std::nullopt;  ///< in place of resize and crop; a flip comes first

  /// How many different pictures one photo of this size can become: 1, 2 (flip), or nullopt for a number without bound.
  [[nodiscard]] std::optional<std::int64_t> outcomes(Size photo) const;
};

/// Which photos a stage sees, in which order.
struct DataSpec {
  ImageRecipe recipe;
  std::optional<ImageRecipe> class_recipe = std::nullopt;  ///< of images of the class, where theirs is another one
  std::int64_t repeats = 1;                                ///< one epoch holds every photo this many times, shuffled
  bool drop_last = true;                                   ///< else the last batch of an epoch may be smaller
  /// SDXL is told each photo's own size and where its picture was cut out, as diffusers' scripts do;
  /// else a square that was not cut.
  bool tells_photos = false;
  std::int64_t cache_latents = 0;  ///< freeze this many variants of each photo (0: the rule of the framework decides)
};

/// How a stage is optimised. AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) in PyTorch's form.
struct TrainSpec {
  std::int64_t batch = 1;         ///< rows of one optimizer step
  std::int64_t micro_batch = 0;   ///< rows computed at once; 0: all. Same loss and gradient
  double loss_divisor = 1.0;      ///< the loss is divided by this before the backward pass (accumulation that is none)
  std::int64_t accumulation = 1;  ///< batches whose gradients one optimizer step sums
  double max_grad_norm = 0.0;     ///< global L2 limit; 0: none
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  std::string lr_scheduler = "constant";  ///< one of diffusers' six
  std::int64_t lr_warmup_steps = 0;
  std::int64_t lr_total_steps = 0;  ///< what linear, cosine and polynomial decay over
  std::int64_t lr_num_cycles = 1;
  double lr_power = 1.0;
  double offset_noise = 0.0;
  bool recompute_activations = false;  ///< the UNet's are computed twice instead of being kept: memory for time
  bool cast_alphas = false;  ///< ᾱ in the latents' type before the square roots, as the published scripts do
};

}  // namespace atelier
