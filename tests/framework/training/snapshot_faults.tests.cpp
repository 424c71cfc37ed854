// One snapshot, with every call on the disk failing in its turn.
#include <fstream>

#include "framework/core/atomic_file.h"
#include "framework/tensor/devices.h"
#include "framework/training/snapshot.h"
#include "tests/framework/training/training_support.h"
#include "tests/support/catch_torch.h"
#include "tests/support/disk_faults/ways.h"

using namespace atelier;
using namespace training_test;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kLast = 4;

std::string bytes_of_snapshot(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Writes the snapshot over `before` once for each call that can fail. What is there then is that of before or `after`.
void fail_each_call(const Trainer& trainer, LossRecord& losses, const TemporaryFolder& folder,
                    const std::string& before, const std::string& after) {
  const fs::path path = folder / "snapshot";
  const Snapshot snapshot(path, "k");
  for (const auto& way : disk_faults::kWays) {
    disk_faults::Tried tried;
    for (long call = 1; call == 1 || tried.calls + 1 >= call; ++call) {
      write_file_atomically(path, before);
      tried = disk_faults::try_work(way, call, folder.path(), [&] { snapshot.write(trainer, losses); });
      INFO("kind " << static_cast<int>(way.kind) << ", errno " << way.error << ", call " << call);
      const std::string found = bytes_of_snapshot(path);
      CHECK((found == after || (tried.failed && found == before)));
      CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
    }
    CHECK(tried.calls > 4);
  }
}

struct Trained {
  std::string digest;
  std::vector<float> losses;
};

/// Four steps; `step` sees the trainer after each.
Trained train(const std::vector<Photo>& photos, const fs::path& snapshot,
              const std::function<void(const Trainer&, const TrainProgress&)>& step) {
  Session session(tiny_base());
  StageSettings settings;
  settings.data = flip_data();
  const auto stage = make_stage(settings);
  LoopOptions options;
  options.seed = 11;
  options.steps = kLast;
  options.photos = photos;
  options.snapshot = {.path = snapshot, .key = "k"};
  const Trainer* trainer = nullptr;
  options.on_attached = [&](const Trainer& attached) { trainer = &attached; };
  options.on_step = [&](const TrainProgress& progress) {
    if (step) step(*trainer, progress);
  };
  const LoopResult result = train_stage(session, *stage, options);
  return {.digest = digest(*stage), .losses = result.losses.series().at("loss")};
}

}  // namespace

TEST_CASE(
    "Whatever call fails while a snapshot is written, training goes on from it or the one before, with the same bits",
    "[training][snapshot][faults]") {
  set_threads(1);
  const TemporaryFolder photos, folder, resumed;
  const auto pictures = write_photos(photos, 2);
  LossRecord losses;
  std::string first, second;
  const auto undisturbed = train(pictures, {}, [&](const Trainer& trainer, const TrainProgress& progress) {
    losses.append(*progress.result);
    if (progress.done > 2) return;
    const Snapshot whole(photos / "whole", "k");
    whole.write(trainer, losses);
    (progress.done == 1 ? first : second) = bytes_of_snapshot(photos / "whole");
    if (progress.done == 2) fail_each_call(trainer, losses, folder, first, second);
  });
  REQUIRE(first != second);
  for (const std::string& snapshot : {first, second}) {
    write_file_atomically(resumed / "snapshot", snapshot);
    const auto again = train(pictures, resumed / "snapshot", {});
    CHECK(again.digest == undisturbed.digest);
    CHECK(again.losses == undisturbed.losses);
  }
}
