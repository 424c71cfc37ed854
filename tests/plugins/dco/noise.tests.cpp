#include <cmath>

#include "framework/training/training_data.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;

TEST_CASE("Offset noise of 0.1: elements of variance 1.01, channel means of SDXL's size deviate by 0.1003",
          "[dco][noise]") {
  const auto base = tiny_base("sdxl");
  const auto stage = dco::make_stage(style_settings({{"offset_noise", 0.1}, {"resolution", 1024}}));
  const std::string photo = ATELIER_SOURCE_DIR "/experiments/pocket/concepts/bolt_car/00.png";
  TrainingData data(*base, *stage,
                    {.seed = 3,
                     .stage = 1,
                     .steps = 64,
                     .photos = {{.path = photo, .caption = "a car, {}", .base_caption = {}}},
                     .class_photos = {},
                     .num_train_timesteps = 1000,
                     .cache = true});
  double squares = 0, mean_squares = 0;
  std::int64_t elements = 0, channels = 0;
  for (std::int64_t step = 0; step < 64; ++step) {
    for (const BatchInputs& batch : data.batches(step)) {
      REQUIRE(batch.noise.size(-1) == 128);
      squares += batch.noise.square().sum().item<double>();
      mean_squares += batch.noise.flatten(2).mean(2).square().sum().item<double>();
      elements += batch.noise.numel();
      channels += batch.noise.size(0) * 4;
    }
  }
  // The expected deviations of both, which rest on the few draws of a channel.
  const double share = std::sqrt(2.0 / static_cast<double>(channels));
  CHECK(channels == 256);
  CHECK(squares / static_cast<double>(elements) == Approx(1.01).margin(3 * 0.01 * share));
  CHECK(std::sqrt(mean_squares / static_cast<double>(channels)) == Approx(0.100305).margin(3 * 0.05 * share));
}
