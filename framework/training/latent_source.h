#pragma once

#include <memory>
#include <optional>

#include "framework/image/geometry.h"
#include "framework/models/vae.h"
#include "framework/training/picture_recipe.h"
#include "framework/training/stage.h"

namespace atelier {

class Base;

/// One access to a photo.
struct DrawnLatents {
  Tensor latents;  ///< [4, h, w] scaled: (mean + deviation · draw "posterior") · scaling_factor, float32 (float64)
  Tensor mask;     ///< [1, h, w], where the recipe scales photos
  double scale = 1.0;  ///< side of the photo over the picture's
  Size photo = {};     ///< its own size
  Box crop = {};       ///< what the picture is of the photo resized; of a recipe that scales photos: not set
};

/// Latents of photos. Where the recipe has finitely many outcomes, or the stage freezes a number of variants, each is
/// encoded once and its posterior's mean and deviation kept; the sample is always drawn anew, so the latents equal
/// those of a run that encodes at every access. The autoencoder leaves when nothing is left to encode.
class LatentSource {
 public:
  struct Options {
    std::vector<Photo> photos = {};
    DataSpec data = {};
    std::uint64_t seed = 0;
    std::int64_t stage = 0;
    bool cache = true;  ///< false: encode at every access
  };
  /// Reads the size of every photo. Throws Error for a file that cannot be read. Borrows the base.
  LatentSource(const Base& base, Options options);
  ~LatentSource();
  LatentSource(const LatentSource&) = delete;
  LatentSource& operator=(const LatentSource&) = delete;

  /// The picture by the draws of the recipe, or by draw `variant` where variants are frozen.
  [[nodiscard]] DrawnLatents draw(std::size_t photo, Draws& draws);
  [[nodiscard]] Tensor latents(std::size_t photo, Draws& draws) { return draw(photo, draws).latents; }
  /// The posterior's mean without any random part of the recipe, [4, h, w] scaled.
  [[nodiscard]] Tensor plain_latents(std::size_t photo);

  /// Encodes everything that will ever be asked for, where that is finite and at most `limit` pictures.
  void encode_all(std::int64_t limit);
  /// Whether nothing is left to encode.
  [[nodiscard]] bool complete() const { return remaining_ == 0; }

 private:
  struct Source {
    Photo photo;
    Size size;
    std::optional<Image> picture;       // kept while it may be needed and memory allows
    std::vector<Posterior> posteriors;  // by outcome; undefined until encoded
    bool finite = false;
  };
  void load_sizes();
  [[nodiscard]] const ImageRecipe& recipe_of(const Photo& photo) const;
  [[nodiscard]] const Image& picture(Source& source, Image& scratch);
  [[nodiscard]] Posterior encode(Source& source, const PictureDraws& draws);
  [[nodiscard]] const Posterior& cached(Source& source, std::size_t outcome, const PictureDraws& draws);
  [[nodiscard]] PictureDraws outcome_draws(std::size_t photo, std::size_t outcome);
  [[nodiscard]] Tensor sample(const Posterior& posterior, Draws& draws) const;
  [[nodiscard]] DrawnLatents drawn(const Source& source, const Posterior& posterior, const PictureDraws& picture,
                                   Draws& draws) const;
  [[nodiscard]] VAE& vae();
  void release();

  const Base& base_;
  Options options_;
  std::vector<Source> sources_;
  std::unique_ptr<VAE> vae_;
  double scaling_factor_ = 1.0;
  std::int64_t remaining_ = 0;      // outcomes that are not encoded yet; -1: without bound
  std::int64_t picture_bytes_ = 0;  // of the pictures that are kept
};

}  // namespace atelier
