#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/training/loop.h"
#include "framework/training/stage.h"
#include "tests/support/temporary_folder.h"

namespace training_test {

/// The tiny random sd15 of the parity tests.
std::shared_ptr<const atelier::Base> tiny_base(c10::ScalarType dtype = c10::kFloat);

/// What the test's stage shall be like.
struct StageSettings {
  atelier::TrainSpec train{.batch = 2};
  atelier::DataSpec data;
  bool token = true;
  bool lora = true;
  bool prior = false;            ///< terms `mse` of instance rows and `prior` of class rows
  bool summed = false;           ///< a further term `size`, summed over the batch
  bool nonlinear = false;        ///< softplus(50 · (mse - reference))
  bool accumulate_lora = false;  ///< the LoRA collects gradients and is not trained
  std::string unfreeze;          ///< pattern of parameters that learn too
  double learning_rate = 1e-2;
  std::int64_t most_rows = 0;     ///< memory runs out where more are computed at once; 0: never
  int failing_call = -1;          ///< and in this call of forward(), from 0
  bool host_memory = false;       ///< it is what the host's allocator throws
  std::int64_t poison_step = -1;  ///< from this step on …
  std::string poison_what;        ///< … `term`, `gradient` are not finite
};

/// A token `<new>` and LoRA on the keys and values of one block: what methods do, in small.
std::unique_ptr<atelier::Stage> make_stage(const StageSettings& settings);

/// `count` pictures of noise-like patterns as PNG files, of this size.
std::vector<atelier::Photo> write_photos(const TemporaryFolder& folder, int count, int width = 64, int height = 64,
                                         const std::string& stem = "photo");

/// Random inputs of a batch in the size of the tiny base, with `instance` concept rows.
atelier::BatchInputs random_inputs(std::int64_t rows, std::int64_t instance, std::uint64_t seed);

/// SHA-256 over everything that a stage publishes.
std::string digest(const atelier::Stage& stage);

/// A recipe that draws a flip for each access.
atelier::DataSpec flip_data();
/// One that draws flip, crop and jitter: latents without bound.
atelier::DataSpec jitter_data();

}  // namespace training_test
