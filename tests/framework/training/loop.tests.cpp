#include "framework/training/loop.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ATen/ops/full.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <thread>

#include "framework/core/atomic_file.h"
#include "framework/tensor/devices.h"
#include "framework/training/evaluation.h"
#include "tests/framework/training/training_support.h"
#include "tests/support/catch_torch.h"

using namespace atelier;
using namespace training_test;

namespace {

constexpr std::int64_t kSteps = 12;

StageSettings settings(bool jitter) {
  StageSettings settings;
  settings.data = jitter ? jitter_data() : flip_data();
  settings.train.max_grad_norm = 1.0;
  settings.train.lr_scheduler = "cosine";
  settings.train.lr_total_steps = kSteps;
  return settings;
}

struct Outcome {
  LoopResult result;
  std::string digest;
  std::vector<float> losses;
};

/// A fresh session and stage, trained until done or stopped.
Outcome train(const StageSettings& settings, const LoopOptions& options) {
  Session session(tiny_base());
  const auto stage = make_stage(settings);
  Outcome outcome;
  outcome.result = train_stage(session, *stage, options);
  outcome.digest = digest(*stage);
  outcome.losses = outcome.result.losses.series().at("loss");
  return outcome;
}

LoopOptions loop_options(const std::vector<Photo>& photos) {
  LoopOptions options;
  options.seed = 11;
  options.ordinal = 1;
  options.steps = kSteps;
  options.photos = photos;
  return options;
}

}  // namespace

TEST_CASE("a stage that was stopped after any step ends with the bits of an undisturbed run", "[training][loop]") {
  const int threads = GENERATE(1, 2);
  const bool jitter = GENERATE(false, true);
  set_threads(threads);
  const TemporaryFolder folder;
  const StageSettings stage = settings(jitter);
  const LoopOptions plain = loop_options(write_photos(folder, 3, 80, 64));
  const Outcome undisturbed = train(stage, plain);
  REQUIRE(undisturbed.result.done);
  REQUIRE(undisturbed.losses.size() == kSteps);
  for (std::int64_t k = 1; k < kSteps; k += jitter ? 4 : 1) {
    INFO("threads " << threads << ", stopped after " << k);
    LoopOptions options = plain;
    options.snapshot = {.path = folder / "snapshot.safetensors", .key = "k"};
    std::int64_t made = 0;
    options.on_step = [&](const TrainProgress&) { ++made; };
    options.stop = [&] { return made == k; };
    const Outcome stopped = train(stage, options);
    CHECK_FALSE(stopped.result.done);
    CHECK(stopped.result.steps == k);
    CHECK(std::filesystem::exists(options.snapshot.path));
    options.stop = nullptr;
    const Outcome resumed = train(stage, options);
    CHECK(resumed.result.resumed_from == k);
    CHECK(made == kSteps);
    CHECK(resumed.digest == undisturbed.digest);
    CHECK(resumed.losses == undisturbed.losses);
    CHECK_FALSE(std::filesystem::exists(options.snapshot.path));
  }
}

// The process that the next test kills. ATELIER_TEST_CHILD: the folder; ATELIER_TEST_THREADS.
TEST_CASE("child of the kill test", "[.training-child]") {
  const char* folder = std::getenv("ATELIER_TEST_CHILD");
  if (folder == nullptr) return;
  set_threads(std::atoi(std::getenv("ATELIER_TEST_THREADS")));
  const std::filesystem::path root(folder);
  std::vector<Photo> photos;
  for (int k = 0; k < 3; ++k)
    photos.push_back(
        {.path = (root / ("photo" + std::to_string(k) + ".png")).string(), .caption = "", .base_caption = ""});
  LoopOptions options = loop_options(photos);
  options.snapshot = {.path = root / "snapshot.safetensors", .key = "k", .every_steps = 1};
  options.on_attached = [&](const Trainer&) { std::ofstream(root / "started") << "1"; };
  write_file_atomically(root / "digest", train(settings(false), options).digest);
}

namespace {

pid_t start_child(const std::filesystem::path& folder, int threads) {
  const std::string where = "ATELIER_TEST_CHILD=" + folder.string();
  const std::string count = "ATELIER_TEST_THREADS=" + std::to_string(threads);
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  environment.push_back(const_cast<char*>(where.c_str()));
  environment.push_back(const_cast<char*>(count.c_str()));
  environment.push_back(nullptr);
  char program[] = "/proc/self/exe", test[] = "[.training-child]";
  char* const arguments[] = {program, test, nullptr};
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  ::posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, program, &quiet, nullptr, arguments, environment.data());
  ::posix_spawn_file_actions_destroy(&quiet);
  return failed == 0 ? child : -1;
}

/// Waits for the child, and kills it `delay` after its loop began. True when it ended by itself.
bool run_child(const std::filesystem::path& folder, int threads, std::chrono::microseconds delay) {
  std::filesystem::remove(folder / "started");
  const pid_t child = start_child(folder, threads);
  REQUIRE(child > 0);
  int status = 0;
  while (!std::filesystem::exists(folder / "started") && ::waitpid(child, &status, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(delay);
  ::kill(child, SIGKILL);
  if (::waitpid(child, &status, 0) != child) return true;  // it had ended before
  return WIFEXITED(status);
}

}  // namespace

TEST_CASE("killed at random instants, also while it writes a snapshot, a stage ends with the same bits",
          "[training][loop]") {
  const int threads = GENERATE(1, 2);
  set_threads(threads);
  const TemporaryFolder folder;
  const std::string expected = train(settings(false), loop_options(write_photos(folder, 3))).digest;
  std::uint32_t state = 1 + static_cast<std::uint32_t>(threads);
  int kills = 0;
  for (int attempt = 0; attempt < 40 && !std::filesystem::exists(folder / "digest"); ++attempt) {
    state = state * 1664525u + 1013904223u;
    // From within the first step to a few steps on; then left alone for as long as it needs.
    const auto delay = std::chrono::microseconds(attempt < 6 ? state % 60'000 : 60'000'000 / 20);
    kills += run_child(folder.path(), threads, delay) ? 0 : 1;
  }
  CHECK(kills > 1);
  REQUIRE(std::filesystem::exists(folder / "digest"));
  CHECK(read_text_file(folder / "digest") == expected);
  CHECK_FALSE(std::filesystem::exists(folder / "snapshot.safetensors"));
}

TEST_CASE("what a killed writer leaves beside a snapshot is ignored and swept up", "[training][loop]") {
  const TemporaryFolder folder;
  LoopOptions options = loop_options(write_photos(folder, 2));
  options.steps = 2;
  options.snapshot = {.path = folder / "snapshot.safetensors", .key = "k"};
  std::ofstream(folder / ".snapshot.safetensors.Xy12Zz") << "half a snapsh";
  CHECK(train(settings(false), options).result.done);
  CHECK_FALSE(std::filesystem::exists(folder / ".snapshot.safetensors.Xy12Zz"));
}

TEST_CASE("a snapshot of other work, of another stage, or a damaged one is refused", "[training][loop]") {
  const TemporaryFolder folder;
  LoopOptions options = loop_options(write_photos(folder, 2));
  options.snapshot = {.path = folder / "snapshot.safetensors", .key = "k"};
  options.stop = [] { return true; };
  REQUIRE_FALSE(train(settings(false), options).result.done);
  LoopOptions other = options;
  other.snapshot.key = "another";
  CHECK_THROWS_WITH(train(settings(false), other), Catch::Contains("a snapshot of key k"));
  StageSettings token_only = settings(false);
  token_only.lora = false;
  CHECK_THROWS_WITH(train(token_only, options), Catch::Contains("belongs to another stage"));
  std::filesystem::resize_file(options.snapshot.path, 100);
  CHECK_THROWS_WITH(train(settings(false), options), Catch::Contains("snapshot.safetensors"));
}

TEST_CASE("checkpoints are called in order, and the state at one does not depend on the steps after it",
          "[training][loop]") {
  const TemporaryFolder folder;
  LoopOptions options = loop_options(write_photos(folder, 2));
  StageSettings stage = settings(false);
  stage.train.lr_scheduler = "constant";
  std::map<std::int64_t, std::string> published;
  options.checkpoints = {3, 5};
  options.steps = 6;
  options.on_checkpoint = [&](std::int64_t step, const Stage& trained) { published[step] = digest(trained); };
  (void)train(stage, options);
  CHECK(published.size() == 2);
  options.steps = 3;
  options.checkpoints = {};
  CHECK(train(stage, options).digest == published.at(3));
  options.checkpoints = {4};
  CHECK_THROWS_WITH(train(stage, options), Catch::Contains("checkpoints: step 4"));
}

TEST_CASE("what stops being finite is named, with step, timesteps and seed", "[training][loop]") {
  const TemporaryFolder folder;
  LoopOptions options = loop_options(write_photos(folder, 2));
  StageSettings stage = settings(false);
  stage.poison_step = 4;
  stage.poison_what = "term";
  CHECK_THROWS_WITH(train(stage, options), Catch::Contains("training step 4 (seed 11, timesteps ") &&
                                               Catch::Contains("loss term mse in row 1 is not finite"));
  stage.poison_what = "gradient";
  CHECK_THROWS_WITH(train(stage, options),
                    Catch::Contains("training step 4") && Catch::Contains("the gradient of text_encoder.token.<new>"));
  stage.poison_step = -1;
  options.start = Start({{"text_encoder.token.<new>", at::full({32}, std::numeric_limits<float>::infinity())}});
  CHECK_THROWS_WITH(train(stage, options), Catch::Contains("parameter text_encoder.token.<new>"));
}

TEST_CASE("training lowers the loss on fixed pictures, timesteps and noise", "[training][loop]") {
  const TemporaryFolder folder;
  LoopOptions options = loop_options(write_photos(folder, 2));
  options.steps = 30;
  StageSettings stage = settings(false);
  stage.train.lr_scheduler = "constant";
  stage.unfreeze = "unet.conv_out.*";
  Session session(tiny_base());
  const auto trained = make_stage(stage);
  const EvaluationOptions evaluation{.photos = options.photos, .draws = 4, .seed = 1};
  double before = 0.0;
  options.on_attached = [&](const Trainer&) {
    before = evaluation_loss(session, *trained, evaluation);
    CHECK(evaluation_loss(session, *trained, evaluation) == before);
  };
  (void)train_stage(session, *trained, options);
  const double after = evaluation_loss(session, *trained, evaluation);
  CHECK(after < 0.95 * before);
  EvaluationOptions unknown = evaluation;
  unknown.term = "nothing";
  CHECK_THROWS_WITH(evaluation_loss(session, *trained, unknown), Catch::Contains("no term nothing"));
}
