#include "framework/training/training_data.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "framework/models/base.h"

namespace atelier {
namespace {

/// [B, 1, h, w] of the rows' masks; rows without one count everywhere. Undefined when none has one.
Tensor stacked_masks(std::vector<Tensor> masks, const Tensor& latents) {
  if (std::none_of(masks.begin(), masks.end(), [](const Tensor& mask) { return mask.defined(); })) return {};
  for (Tensor& mask : masks) {
    if (!mask.defined()) mask = at::ones({1, latents.size(2), latents.size(3)});
  }
  return at::stack(masks);
}

std::vector<Photo> joined(const std::vector<Photo>& photos, const std::vector<Photo>& class_photos) {
  std::vector<Photo> all = photos;
  for (Photo photo : class_photos) {
    photo.of_class = true;
    all.push_back(std::move(photo));
  }
  return all;
}

PhotoOrder::Options order_options(const TrainingData::Options& options, const TrainSpec& train, const DataSpec& data) {
  return {.seed = options.seed,
          .stage = options.stage,
          .photos = static_cast<std::int64_t>(options.photos.size()),
          .repeats = data.repeats,
          .batch = train.batch,
          .drop_last = data.drop_last};
}

}  // namespace

TrainingData::TrainingData(const Base& base, Stage& stage, Options options)
    : base_(base),
      stage_(stage),
      options_(std::move(options)),
      train_(stage.train()),
      data_(stage.data()),
      order_(order_options(options_, train_, data_)),
      latents_(base, {.photos = joined(options_.photos, options_.class_photos),
                      .data = data_,
                      .seed = options_.seed,
                      .stage = options_.stage,
                      .cache = options_.cache}) {
  const auto classes = static_cast<std::int64_t>(options_.class_photos.size());
  if (classes > 0) {
    // Class images are one endless row of their own: batch 1, taken as needed.
    class_order_.emplace(PhotoOrder::Options{
        .seed = options_.seed, .stage = options_.stage, .photos = classes, .batch = 1, .name = "class_order"});
  }
  latents_.encode_all(options_.steps * train_.accumulation * train_.batch * (classes > 0 ? 2 : 1));
}

TrainingData::~TrainingData() {
  if (next_.valid()) next_.wait();
}

DrawPlace TrainingData::place(std::int64_t step, std::int64_t slot) const {
  return {.seed = options_.seed, .stage = options_.stage, .step = step, .slot = slot};
}

DrawPlace TrainingData::batch_place(std::int64_t step, std::int64_t index) const { return place(step, -1 - index); }

const Photo& TrainingData::photo(std::size_t index) const {
  const std::size_t own = options_.photos.size();
  return index < own ? options_.photos[index] : options_.class_photos[index - own];
}

// Slots count rows of full batches, so that a row's draws do not depend on whether an earlier batch was cut short.
std::vector<TrainingData::Row> TrainingData::rows(std::int64_t step, std::int64_t index) {
  const std::int64_t number = step * train_.accumulation + index;
  const std::int64_t width = train_.batch * (class_order_ ? 2 : 1);
  std::vector<Row> rows;
  for (const std::int64_t photo : order_.batch(number)) {
    rows.push_back(
        {.photo = static_cast<std::size_t>(photo), .slot = index * width + static_cast<std::int64_t>(rows.size())});
  }
  if (!class_order_) return rows;
  const auto instances = static_cast<std::int64_t>(rows.size());
  for (std::int64_t r = 0; r < instances; ++r) {
    const std::int64_t of_class = class_order_->batch(number * train_.batch + r).front();
    rows.push_back({.photo = options_.photos.size() + static_cast<std::size_t>(of_class),
                    .slot = index * width + train_.batch + r});
  }
  return rows;
}

Tensor TrainingData::draw_noise(Draws& draws, at::IntArrayRef shape) const {
  const Tensor noise = draws.normal("noise", shape);
  if (train_.offset_noise == 0.0) return noise;
  return noise + draws.normal("offset_noise", {shape[0], 1, 1}) * train_.offset_noise;
}

void TrainingData::draw(std::int64_t step, Prepared& prepared) {
  std::vector<Tensor> latents, noise, masks;
  std::vector<std::int64_t> timesteps;
  for (Row& row : prepared.rows) {
    RandomDraws draws(place(step, row.slot));
    const DrawnLatents drawn = latents_.draw(row.photo, draws);
    row.scale = drawn.scale, row.size = drawn.photo, row.crop = drawn.crop;
    latents.push_back(drawn.latents);
    masks.push_back(drawn.mask);
    noise.push_back(draw_noise(draws, latents.back().sizes()));
    timesteps.push_back(draws.below("timestep", options_.num_train_timesteps));
  }
  prepared.latents = at::stack(latents);
  prepared.noise = at::stack(noise);
  prepared.timesteps = at::tensor(timesteps, at::kLong);
  prepared.mask = stacked_masks(std::move(masks), prepared.latents);
}

std::vector<TrainingData::Prepared> TrainingData::prepare(std::int64_t step) {
  const at::NoGradGuard no_grad;
  std::vector<Prepared> batches;
  for (std::int64_t index = 0; index < train_.accumulation; ++index) {
    Prepared prepared{
        .rows = rows(step, index), .instance_rows = 0, .latents = {}, .noise = {}, .timesteps = {}, .mask = {}};
    const auto all = static_cast<std::int64_t>(prepared.rows.size());
    prepared.instance_rows = class_order_ ? all / 2 : all;
    draw(step, prepared);
    batches.push_back(std::move(prepared));
  }
  return batches;
}

std::vector<TrainingData::Prepared> TrainingData::take(std::int64_t step) {
  if (!next_.valid()) return prepare(step);
  auto prepared = next_.get();
  return next_step_ == step ? std::move(prepared) : prepare(step);
}

// Where nothing is encoded any more a batch takes less than starting a thread would win.
void TrainingData::prefetch(std::int64_t step) {
  if (latents_.complete() || step >= options_.steps) return;
  next_step_ = step;
  next_ = std::async(std::launch::async, [this, step] {
    at::init_num_threads();  // a thread of its own starts with all cores, which changes the bits of convolutions
    return prepare(step);
  });
}

/// [B, 6]: original height and width, crop's top and left, target's height and width. Unless the photos are told,
/// original and target are the recipe's square, as DCO's script tells the UNet.
Tensor TrainingData::time_ids(const std::vector<Row>& rows) const {
  const auto side = static_cast<float>(data_.recipe.transform.size);
  std::vector<float> ids;
  for (const Row& row : rows) {
    const auto told = data_.tells_photos
                          ? std::vector<int>{row.size.height, row.size.width, row.crop.top, row.crop.left}
                          : std::vector<int>{};
    if (told.empty()) ids.insert(ids.end(), {side, side, 0.0F, 0.0F});
    for (const int number : told) ids.push_back(static_cast<float>(number));
    ids.insert(ids.end(), {side, side});
  }
  return at::tensor(ids).view({static_cast<std::int64_t>(rows.size()), 6});
}

BatchInputs TrainingData::finish(std::int64_t step, Prepared prepared) {
  BatchInputs inputs{.latents = prepared.latents,
                     .noise = prepared.noise,
                     .timesteps = prepared.timesteps,
                     .mask = prepared.mask,
                     .time_ids = {},
                     .samples = {},
                     .instance_rows = prepared.instance_rows};
  for (const Row& row : prepared.rows) {
    RandomDraws draws(place(step, row.slot));
    Photo shown = photo(row.photo);
    shown.of_class = row.photo >= options_.photos.size();
    shown.scale = row.scale;
    stage_.describe(shown, inputs.samples.emplace_back(), draws);
  }
  if (base_.is_sdxl()) inputs.time_ids = time_ids(prepared.rows);
  return inputs;
}

std::vector<BatchInputs> TrainingData::batches(std::int64_t step) {
  auto prepared = take(step);
  prefetch(step + 1);
  std::vector<BatchInputs> batches;
  for (auto& batch : prepared) batches.push_back(finish(step, std::move(batch)));
  return batches;
}

}  // namespace atelier
