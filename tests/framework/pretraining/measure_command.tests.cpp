// What the command prints and returns, on the autoencoder of a tiny pipeline.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/framework/pretraining/scene_support.h"
#include "tests/parity/probe.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

struct CommandPlace {
  CommandPlace() { write_scene_set(folder / "data/test", 12, 16); }

  [[nodiscard]] Outcome run(const std::string& quality, const std::vector<std::string>& more = {}) const {
    std::ofstream(folder / "quality.yaml") << quality;
    std::vector<std::string> words{"base",          "measure", folder / "quality.yaml", "--data",
                                   folder / "data", "--base",  models_folder() / "sd15"};
    words.insert(words.end(), more.begin(), more.end());
    return run_atelier(words);
  }

  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("the table says what is measured and wanted, and the exit code whether it is reached", "[measure][command]") {
  const CommandPlace place;
  const Outcome reached = place.run("vae: {scenes: test, psnr: 0.5}\n");
  INFO(reached.err);
  CHECK(reached.status == 0);
  CHECK_THAT(reached.out, Contains("| quantity ") && Contains("|  at least |"));
  CHECK_THAT(reached.out, Contains("| PSNR of reconstructions |") && Contains(" dB |   0.50 dB | yes |     24 |"));

  const Outcome missed = place.run("vae: {scenes: test, psnr: 99}\n");
  CHECK(missed.status == 1);
  CHECK_THAT(missed.out, Contains("|  99.00 dB | NO  |"));
  CHECK_THAT(missed.err, Contains("1 of 1 quantities below what is wanted: vae.psnr"));
}

TEST_CASE("--json holds the same as one object, and the pictures that were written", "[measure][command]") {
  const CommandPlace place;
  const Outcome outcome = place.run("vae: {scenes: test, count: 5, psnr: 99}\n",
                                    {"--json", "--pictures", (place.folder / "sheets").string()});
  CHECK(outcome.status == 1);
  const Json json = parse_json(outcome.out, "json");
  CHECK(json.at("ok") == false);
  REQUIRE(json.at("quantities").size() == 1);
  const Json& psnr = json.at("quantities")[0];
  CHECK(psnr.at("name") == "vae.psnr");
  CHECK(psnr.at("unit") == "dB");
  CHECK(psnr.at("wanted") == 99.0);
  CHECK(psnr.at("count") == 5);
  CHECK(psnr.at("ok") == false);
  CHECK(json.at("pictures") == Json{(place.folder / "sheets/reconstructions.png").string()});
  CHECK(std::filesystem::exists(place.folder / "sheets/reconstructions.png"));
}

TEST_CASE("what is missing is said, with what to train first", "[measure][command]") {
  const CommandPlace place;
  const Outcome judge = place.run("judge: {scenes: test, accuracy: 0.98}\n");
  CHECK(judge.status == 1);
  CHECK(judge.out.empty());
  CHECK_THAT(judge.err, Contains("sd15/judge: no such folder") && Contains("judge"));
  const Outcome faulty = place.run("vae: {scenes: test, pnsr: 27}\n");
  CHECK(faulty.status == 2);
  CHECK_THAT(faulty.err, Contains("quality.yaml:1:21: vae: unknown key \"pnsr\""));
}

TEST_CASE("two trainings of one component into one folder are refused", "[measure][command]") {
  const CommandPlace place;
  const std::string out = place.folder / "base";
  std::filesystem::create_directories(out + "/.training");
  const int held = ::open((out + "/.training/vae.lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  REQUIRE(::flock(held, LOCK_EX | LOCK_NB) == 0);
  const std::string recipe = ATELIER_SOURCE_DIR "/experiments/pocket/recipes/mini/vae.yaml";
  const Outcome refused = run_atelier({"base", "train", recipe, "--data", place.folder / "data", "--out", out});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Contains("vae: another process that trains it; expected one at a time"));
  ::close(held);
}
