#pragma once

#include <future>

#include "framework/training/batch_inputs.h"
#include "framework/training/latent_source.h"
#include "framework/training/photo_order.h"

namespace atelier {

/// The batches of a stage: which photos, which pictures of them, texts, noise and timesteps, all by named draws of
/// (seed, stage, step, row), so that any batch can be made again. Latents of the next step are prepared in a helper
/// thread while the device computes this one. Rows of the class images follow those of the concept.
///
/// Draws of a row besides the recipe's and the stage's: `posterior`, `noise`, `offset_noise`, `timestep`. Orders of
/// photos: `photo_order`, `class_order` (step: the epoch).
class TrainingData {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::int64_t stage = 0;  ///< ordinal of the stage in its method
    std::int64_t steps = 1;  ///< of the whole stage: bounds what is encoded ahead and prepared
    std::vector<Photo> photos = {};
    std::vector<Photo> class_photos = {};  ///< empty: no prior preservation
    std::int64_t num_train_timesteps = 1000;
    bool cache = true;  ///< of latents, where the recipe allows
  };
  /// Borrows base and stage. Throws Error for photos that cannot be read.
  TrainingData(const Base& base, Stage& stage, Options options);
  ~TrainingData();
  TrainingData(const TrainingData&) = delete;
  TrainingData& operator=(const TrainingData&) = delete;

  /// The batches of one optimizer step: as many as the spec accumulates. Steps may be asked for in any order.
  [[nodiscard]] std::vector<BatchInputs> batches(std::int64_t step);
  /// Where the draws of a whole batch are made: batch `index` of the step's has slot -1 - index.
  [[nodiscard]] DrawPlace batch_place(std::int64_t step, std::int64_t index) const;

 private:
  struct Row {
    std::size_t photo = 0;  // among photos, then class photos
    std::int64_t slot = 0;
    double scale = 1.0;  // of the photo in its picture, once that is drawn
    Size size = {};      // of the photo, then too
    Box crop = {};       // and what its picture is of it
  };
  struct Prepared {
    std::vector<Row> rows;
    std::int64_t instance_rows = 0;
    Tensor latents, noise, timesteps;
    Tensor mask;  // undefined where the recipe scales no photos
  };
  [[nodiscard]] std::vector<Prepared> prepare(std::int64_t step);
  [[nodiscard]] std::vector<Prepared> take(std::int64_t step);
  void prefetch(std::int64_t step);
  [[nodiscard]] std::vector<Row> rows(std::int64_t step, std::int64_t index);
  void draw(std::int64_t step, Prepared& prepared);
  [[nodiscard]] Tensor draw_noise(Draws& draws, at::IntArrayRef shape) const;
  [[nodiscard]] Tensor time_ids(const std::vector<Row>& rows) const;
  [[nodiscard]] BatchInputs finish(std::int64_t step, Prepared prepared);
  [[nodiscard]] DrawPlace place(std::int64_t step, std::int64_t slot) const;
  [[nodiscard]] const Photo& photo(std::size_t index) const;

  const Base& base_;
  Stage& stage_;
  Options options_;
  TrainSpec train_;
  DataSpec data_;
  PhotoOrder order_;
  std::optional<PhotoOrder> class_order_;
  LatentSource latents_;
  std::future<std::vector<Prepared>> next_;  // while it runs, order and latents belong to it
  std::int64_t next_step_ = -1;
};

}  // namespace atelier
