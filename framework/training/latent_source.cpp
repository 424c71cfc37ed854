#include "framework/training/latent_source.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include "framework/image/decode.h"
#include "framework/models/base.h"

namespace atelier {
namespace {

constexpr std::int64_t kPictureBudget = std::int64_t{512} << 20;  // bytes of decoded photos that are kept
constexpr std::int64_t kVariantStep = -2;                         // draws of frozen variants belong to no step

Image load(const Photo& photo, ExifRule exif) {
  const AlphaRule drop{.kind = AlphaRule::Kind::drop};
  if (photo.bytes.empty()) return load_image(photo.path, {.exif = exif, .alpha = drop});
  return flatten(decode(photo.bytes, photo.path, exif), drop, photo.path);
}

}  // namespace

LatentSource::LatentSource(const Base& base, Options options) : base_(base), options_(std::move(options)) {
  scaling_factor_ = parse_vae_config(base.config("vae"), "vae").scaling_factor;
  load_sizes();
}

LatentSource::~LatentSource() = default;

const ImageRecipe& LatentSource::recipe_of(const Photo& photo) const {
  const DataSpec& data = options_.data;
  return photo.of_class && data.class_recipe ? *data.class_recipe : data.recipe;
}

void LatentSource::load_sizes() {
  const DataSpec& data = options_.data;
  for (const Photo& photo : options_.photos) {
    const ImageRecipe& recipe = recipe_of(photo);
    Source source{.photo = photo, .size = {}, .picture = load(photo, recipe.exif), .posteriors = {}};
    source.size = source.picture->size();
    const auto outcomes = data.cache_latents > 0 ? std::optional(data.cache_latents) : recipe.outcomes(source.size);
    source.finite = outcomes && options_.cache;
    if (!source.finite) remaining_ = -1;
    if (source.finite) source.posteriors.resize(static_cast<std::size_t>(*outcomes));
    if (remaining_ >= 0) remaining_ += *outcomes;
    const auto bytes = static_cast<std::int64_t>(source.picture->pixels.size());
    if (picture_bytes_ + bytes > kPictureBudget) source.picture.reset();
    if (source.picture) picture_bytes_ += bytes;
    sources_.push_back(std::move(source));
  }
}

const Image& LatentSource::picture(Source& source, Image& scratch) {
  if (source.picture) return *source.picture;
  return scratch = load(source.photo, recipe_of(source.photo).exif);
}

VAE& LatentSource::vae() {
  if (!vae_) vae_ = std::make_unique<VAE>(base_.config("vae"), base_.weights("vae"));
  return *vae_;
}

void LatentSource::release() {
  vae_.reset();
  base_.release("vae");
  for (Source& source : sources_) source.picture.reset();
}

// One picture at a time: a picture's latents then do not depend on what else was encoded with it.
Posterior LatentSource::encode(Source& source, const PictureDraws& draws) {
  const at::NoGradGuard no_grad;
  Image scratch;
  PixelValues pixels =
      recipe_pixels(picture(source, scratch), recipe_of(source.photo), draws, static_cast<int>(at::get_num_threads()));
  const Placement& placement = vae().placement();
  const Tensor values = at::from_blob(pixels.values.data(), pixels.shape, at::kFloat);
  const Posterior posterior = vae().encode(values.to(placement.device, placement.dtype));
  const auto wide = placement.dtype == at::kDouble ? at::kDouble : at::kFloat;
  return {.mean = posterior.mean[0].to(wide), .std = posterior.std[0].to(wide)};
}

const Posterior& LatentSource::cached(Source& source, std::size_t outcome, const PictureDraws& draws) {
  Posterior& posterior = source.posteriors[outcome];
  if (posterior.mean.defined()) return posterior;
  posterior = encode(source, draws);
  if (remaining_ > 0 && --remaining_ == 0) release();
  return posterior;
}

// Outcome k of a photo: variant k by its own draws or, where all outcomes are known, not flipped and flipped.
PictureDraws LatentSource::outcome_draws(std::size_t photo, std::size_t outcome) {
  const DataSpec& data = options_.data;
  const ImageRecipe& recipe = recipe_of(sources_[photo].photo);
  if (data.cache_latents > 0) {
    RandomDraws draws(
        {.seed = options_.seed,
         .stage = options_.stage,
         .step = kVariantStep,
         .slot = static_cast<std::int64_t>(photo) * data.cache_latents + static_cast<std::int64_t>(outcome)});
    return draw_picture(recipe, sources_[photo].size, draws);
  }
  PictureDraws draws = plain_picture(recipe);
  draws.transform.flip = sources_[photo].posteriors.size() == 1 ? recipe.flip_probability >= 1.0 : outcome == 1;
  return draws;
}

Tensor LatentSource::sample(const Posterior& posterior, Draws& draws) const {
  const Tensor noise = draws.normal("posterior", posterior.mean.sizes());
  return (posterior.mean + posterior.std * noise.to(posterior.mean.device(), posterior.mean.scalar_type())) *
         scaling_factor_;
}

DrawnLatents LatentSource::drawn(const Source& source, const Posterior& posterior, const PictureDraws& picture,
                                 Draws& draws) const {
  DrawnLatents drawn{.latents = sample(posterior, draws), .mask = {}, .photo = source.size};
  const TrainTransform& transform = recipe_of(source.photo).transform;
  if (!picture.place) {
    drawn.crop = train_crop(source.size, transform, picture.transform);
    return drawn;
  }
  const int size = transform.size;
  drawn.mask = place_mask(*picture.place, size, drawn.latents.size(-1));
  drawn.scale = static_cast<double>(picture.place->side) / size;
  return drawn;
}

DrawnLatents LatentSource::draw(std::size_t photo, Draws& draws) {
  const at::NoGradGuard no_grad;
  Source& source = sources_.at(photo);
  const DataSpec& data = options_.data;
  if (data.cache_latents > 0 && source.finite) {
    const auto variant = static_cast<std::size_t>(draws.below("variant", data.cache_latents));
    const PictureDraws picture = outcome_draws(photo, variant);
    return drawn(source, cached(source, variant, picture), picture, draws);
  }
  const PictureDraws picture = draw_picture(recipe_of(source.photo), source.size, draws);
  if (!source.finite) return drawn(source, encode(source, picture), picture, draws);
  const std::size_t outcome = source.posteriors.size() == 2 && picture.transform.flip ? 1 : 0;
  return drawn(source, cached(source, outcome, picture), picture, draws);
}

Tensor LatentSource::plain_latents(std::size_t photo) {
  const at::NoGradGuard no_grad;
  Source& source = sources_.at(photo);
  return encode(source, plain_picture(recipe_of(source.photo))).mean * scaling_factor_;
}

void LatentSource::encode_all(std::int64_t limit) {
  if (remaining_ < 1 || remaining_ > limit) return;
  for (std::size_t photo = 0; photo < sources_.size(); ++photo) {
    for (std::size_t outcome = 0; outcome < sources_[photo].posteriors.size(); ++outcome) {
      (void)cached(sources_[photo], outcome, outcome_draws(photo, outcome));
    }
  }
}

}  // namespace atelier
