// What a step sees: pairs of pictures, captions, moved pictures.
#include <fstream>
#include <set>

#include "framework/core/error.h"
#include "framework/pretraining/caption_table.h"
#include "framework/pretraining/clip_loss.h"
#include "framework/pretraining/instance_pairs.h"
#include "framework/pretraining/scene_pixels.h"
#include "framework/pretraining/scene_set.h"
#include "framework/text/clip_tokenizer.h"
#include "tests/framework/pretraining/scene_support.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

ClipTokenizer tokenizer() {
  return ClipTokenizer::load(std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/parity/models/sd15/tokenizer");
}

}  // namespace

TEST_CASE("a batch of pairs holds every instance once, with two of its pictures", "[pretraining][batches]") {
  const TemporaryFolder place;
  write_scene_set(place.path(), 12);
  const SceneSet scenes = SceneSet::open(place.path());
  const InstancePairs pairs(scenes, 0, 1, 5);
  for (std::int64_t step = 0; step < 6; ++step) {
    const Tensor rows = pairs.draw(StepDraws(0, 1, step));
    REQUIRE(rows.size(0) == 10);
    std::set<std::int64_t> instances;
    for (std::int64_t i = 0; i < 5; ++i) {
      const auto first = rows[i].item<std::int64_t>(), second = rows[i + 5].item<std::int64_t>();
      CHECK(first != second);
      CHECK(first / 2 == second / 2);
      instances.insert(first / 2);
    }
    CHECK(instances.size() == 5);
  }
  CHECK_THROWS_WITH(InstancePairs(scenes, 0, 1, 13), Contains("12 instances") && Contains("at least the 13"));
}

TEST_CASE("captions are numbered once, and chosen among a scene's own", "[pretraining][batches]") {
  const TemporaryFolder place;
  write_scene_set(place.path(), 12);
  const SceneSet scenes = SceneSet::open(place.path());
  const CaptionTable table(scenes, tokenizer());
  CHECK(table.size() == 1 + 2 * 8);
  CHECK(table.eos_positions()[0].item<std::int64_t>() == 1);
  const Tensor rows = at::tensor({0, 0, 5}, at::kLong);
  const Tensor chosen = table.choose(rows, at::tensor({0.0, 0.99999, 0.3}, at::kFloat));
  CHECK(chosen[0].item<std::int64_t>() == 1);
  CHECK(chosen[1].item<std::int64_t>() == 2);
  const auto expected = tokenizer().encode(scenes.scenes()[5].captions[0]);
  const Tensor ids = table.ids()[chosen[2].item<std::int64_t>()];
  CHECK(at::equal(ids, at::tensor(expected, at::kLong)));
}

TEST_CASE("a moved picture repeats its border", "[pretraining][batches]") {
  const Tensor images = at::arange(2 * 4 * 4 * 3, at::kByte).view({2, 4, 4, 3});
  const auto one = [](std::int64_t value) { return at::full({1}, value, at::kLong); };
  CHECK(at::equal(shifted(images, one(1), one(0), one(0)), images.narrow(0, 1, 1)));
  const Tensor moved = shifted(images, one(1), one(1), one(-2))[0];
  CHECK(at::equal(moved[1][0], images[1][0][2]));
  CHECK(at::equal(moved[0][0], images[1][0][2]));
  CHECK(at::equal(moved[3][3], images[1][2][3]));
  TensorMap drawn;
  draw_shifts(StepDraws(0, 0, 0), 3, 1000, drawn);
  CHECK(drawn.at("down").min().item<std::int64_t>() == -3);
  CHECK(drawn.at("right").max().item<std::int64_t>() == 3);
  CHECK_FALSE(at::equal(drawn.at("down"), drawn.at("right")));
}

TEST_CASE("pictures of one caption are no negatives of each other", "[pretraining][batches]") {
  const Tensor targets = equal_targets(at::tensor({3, 5, 3}, at::kLong));
  const Tensor expected = at::tensor({0.5, 0.0, 0.5, 0.0, 1.0, 0.0, 0.5, 0.0, 0.5}, at::kFloat).view({3, 3});
  CHECK(at::equal(targets, expected));
}
