#include "framework/pretraining/base_training.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/tensor/devices.h"
#include "framework/tensor/tensor_io.h"
#include "tests/framework/pretraining/training_support.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

/// Starts from nothing again, but for the inputs.
void forget(const TrainingPlace& place, const std::string& component) {
  fs::remove_all(place.out / ".training");
  fs::remove_all(place.out / component);
}

/// Trains until `k` steps of this call are made, then is asked to stop.
void train_and_stop(BaseTrainingRequest request, std::int64_t k) {
  std::int64_t made = 0;
  request.on_progress = [&made](const BaseProgress&) { ++made; };
  request.stop = [&made, k] { return made >= k; };
  try {
    static_cast<void>(run_base_training(request));
    FAIL("not interrupted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::interrupted);
  }
}

/// Trains until `k` steps are made, then dies without a chance to save.
void train_and_die(BaseTrainingRequest request, std::int64_t k) {
  struct Death {};
  std::int64_t made = 0;
  request.on_progress = [&made, k](const BaseProgress&) {
    if (++made == k) throw Death();
  };
  CHECK_THROWS_AS(static_cast<void>(run_base_training(request)), Death);
}

double mean(const std::vector<double>& values, std::size_t begin, std::size_t count) {
  const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin);
  return std::accumulate(first, first + static_cast<std::ptrdiff_t>(count), 0.0) / static_cast<double>(count);
}

}  // namespace

TEST_CASE("an interrupted base training ends with the bits of an undisturbed one", "[pretraining][training]") {
  const std::string component = GENERATE("vae", "clip", "unet", "segmenter", "judge");
  const auto dtype = GENERATE(c10::kFloat, c10::kBFloat16);
  INFO(component << " in " << c10::toString(dtype));
  set_threads(2);
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  place.prepare(component);
  BaseTrainingRequest request = place.request(component, 12, "ema_decay: 0.9, lr_scheduler: cosine");
  request.placement.dtype = dtype;
  const Digests expected = train(request);
  REQUIRE(expected.size() >= 2);

  forget(place, component);
  train_and_stop(request, 1);
  train_and_stop(request, 4);  // 5 in all
  train_and_die(request, 5);   // at 10, so that 8 is the last snapshot
  CHECK(fs::exists(place.out / ".training" / (component + ".safetensors")));
  std::int64_t first = 0;
  request.on_progress = [&first](const BaseProgress& now) { first = first == 0 ? now.step : first; };
  const BaseTrainingResult result = run_base_training(request);
  CHECK(result.training.resumed_from == 8);
  CHECK(first == 9);
  CHECK(digests(result, place.out) == expected);
  CHECK_FALSE(fs::exists(place.out / ".training" / (component + ".safetensors")));
}

TEST_CASE("two trainings of one recipe give the same files", "[pretraining][training]") {
  const TemporaryFolder one, two;
  Digests files;
  for (const auto* folder : {&one, &two}) {
    const TrainingPlace place(folder->path());
    Digests own;
    for (const char* component : {"vae", "clip", "unet", "segmenter", "judge"}) {
      own.merge(train(place.request(component, 3)));
    }
    CHECK(own.contains("unet/diffusion_pytorch_model.safetensors"));
    CHECK(own.contains("model_index.json"));
    if (files.empty()) files = own;
    CHECK(own == files);
  }
}

TEST_CASE("every component learns", "[pretraining][training]") {
  const std::string component = GENERATE("vae", "clip", "unet", "segmenter", "judge");
  INFO(component);
  set_threads(1);
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  place.prepare(component);
  std::vector<double> losses;
  static_cast<void>(train(place.request(component, 40, "adam_beta2: 0.99, adam_weight_decay: 0"), &losses));
  REQUIRE(losses.size() == 40);
  // The denoiser's loss leaps with the timesteps that are drawn.
  CHECK(mean(losses, 30, 10) < (component == "unet" ? 0.96 : 0.9) * mean(losses, 0, 10));
}

TEST_CASE("what is trained is not trained again, unless something changed", "[pretraining][training]") {
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  const BaseTrainingRequest request = place.request("judge", 2);
  const Digests first = train(request);
  const BaseTrainingResult again = run_base_training(request);
  CHECK(again.already_done);
  CHECK(digests(again, place.out) == first);

  std::ofstream(place.out / "judge" / "config.json") << "{}";
  CHECK_FALSE(run_base_training(request).already_done);
  CHECK_FALSE(run_base_training(place.request("judge", 3)).already_done);
  write_scene_set(place.data / "train", 13);
  CHECK_FALSE(run_base_training(place.request("judge", 3)).already_done);
}

TEST_CASE("a snapshot of another recipe, or a damaged one, is refused", "[pretraining][training]") {
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  train_and_stop(place.request("judge", 6), 2);
  CHECK_THROWS_WITH(run_base_training(place.request("judge", 7)), Contains("a snapshot of another recipe"));
  const fs::path snapshot = place.out / ".training" / "judge.safetensors";
  fs::resize_file(snapshot, 100);
  CHECK_THROWS_WITH(run_base_training(place.request("judge", 6)), Contains("judge.safetensors"));
}

TEST_CASE("a training whose numbers explode names the step", "[pretraining][training]") {
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  BaseTrainingRequest request = place.request("vae", 200, "max_grad_norm: 0");
  std::string text = recipe_text("vae", 200, "max_grad_norm: 0");
  text.replace(text.find("1e-3"), 4, "1e18");
  std::ofstream(request.recipe) << text;
  CHECK_THROWS_WITH(run_base_training(request), Contains("vae.yaml: step") && Contains("not finite"));
}

TEST_CASE("what a component learns from must be there and fit", "[pretraining][training]") {
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  CHECK_THROWS_WITH(run_base_training(place.request("unet")),
                    Contains("vae: no such folder") && Contains("train the recipe"));
  CHECK_THROWS_WITH(run_base_training(place.request("segmenter")), Contains("\"clip\""));
  place.prepare("unet");
  const auto with_config = [&](const std::string& component, const char* key, const Json& value) {
    const BaseTrainingRequest request = place.request(component);
    const fs::path path = place.root / "recipes" / (component + ".config.json");
    Json config = read_json_file(path);
    config[key] = value;
    std::ofstream(path) << config.dump();
    return request;
  };
  CHECK_THROWS_WITH(run_base_training(with_config("unet", "sample_size", 16)), Contains("sample_size 16"));
  CHECK_THROWS_WITH(run_base_training(with_config("unet", "cross_attention_dim", 8)),
                    Contains("cross_attention_dim: 8"));
  CHECK_THROWS_WITH(run_base_training(with_config("judge", "image_size", 32)), Contains("image_size: 32"));
  CHECK_THROWS_WITH(run_base_training(with_config("vae", "block_out_channels", "x")), Contains("block_out_channels"));
  BaseTrainingRequest half = place.request("judge");
  half.placement.dtype = c10::kHalf;
  CHECK_THROWS_WITH(run_base_training(half), Contains("float32 or bfloat16"));
  BaseTrainingRequest elsewhere = place.request("judge");
  elsewhere.data = place.root / "none";
  CHECK_THROWS_WITH(run_base_training(elsewhere), Contains("none/train/set.json"));
}

// The process that the next test kills. ATELIER_TEST_CHILD: the folder.
TEST_CASE("child of the pretraining kill test", "[.pretraining-child]") {
  const char* folder = std::getenv("ATELIER_TEST_CHILD");
  if (folder == nullptr) return;
  set_threads(1);
  const TrainingPlace place(folder);
  BaseTrainingRequest request = place.request("judge", 12, "ema_decay: 0.9, snapshot_every: 1");
  request.on_progress = [&](const BaseProgress&) { std::ofstream(place.root / "started") << "1"; };
  const Digests files = train(request);
  write_file_atomically(place.root / "digest", files.at("judge/model.safetensors"));
}

namespace {

pid_t start_child(const fs::path& folder) {
  const std::string where = "ATELIER_TEST_CHILD=" + folder.string();
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  environment.push_back(const_cast<char*>(where.c_str()));
  environment.push_back(nullptr);
  char program[] = "/proc/self/exe", test[] = "[.pretraining-child]";
  char* const arguments[] = {program, test, nullptr};
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  ::posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, program, &quiet, nullptr, arguments, environment.data());
  ::posix_spawn_file_actions_destroy(&quiet);
  return failed == 0 ? child : -1;
}

/// Waits for the child, and kills it `delay` after its first step. True when it ended by itself.
bool run_child(const fs::path& folder, std::chrono::microseconds delay) {
  fs::remove(folder / "started");
  const pid_t child = start_child(folder);
  REQUIRE(child > 0);
  int status = 0;
  while (!fs::exists(folder / "started") && ::waitpid(child, &status, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(delay);
  ::kill(child, SIGKILL);
  if (::waitpid(child, &status, 0) != child) return true;  // it had ended before
  return WIFEXITED(status);
}

}  // namespace

TEST_CASE("killed at random instants, also while it writes, a base training ends with the same bits",
          "[pretraining][training]") {
  set_threads(1);
  const TemporaryFolder folder, other;
  const TrainingPlace place(other.path());
  const std::string expected = train(place.request("judge", 12, "ema_decay: 0.9")).at("judge/model.safetensors");
  std::uint32_t state = 7;
  int kills = 0;
  for (int attempt = 0; attempt < 20 && !fs::exists(folder / "digest"); ++attempt) {
    state = state * 1664525u + 1013904223u;
    const auto delay = std::chrono::microseconds(attempt < 4 ? state % 8'000 : 60'000'000 / 20);
    kills += run_child(folder.path(), delay) ? 0 : 1;
  }
  CHECK(kills > 0);
  REQUIRE(fs::exists(folder / "digest"));
  CHECK(read_text_file(folder / "digest") == expected);
  CHECK_FALSE(fs::exists(folder.path() / "base/.training/judge.safetensors"));
}
