// `atelier train`: what it says, and the files that come of it.
#include <sched.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string kBase = ATELIER_SOURCE_DIR "/experiments/demo/base";
const std::string kPhotos = ATELIER_SOURCE_DIR "/tests/eval/pictures/references/cat2";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Leaves this process and its children one CPU while it lives: `train` takes all, and on so small a model threads only
/// wait for each other.
class OneCpu {
 public:
  OneCpu() {
    ::sched_getaffinity(0, sizeof(before_), &before_);
    int cpu = CPU_SETSIZE - 1;
    while (cpu > 0 && !CPU_ISSET(cpu, &before_)) --cpu;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof(one), &one);
  }
  ~OneCpu() { ::sched_setaffinity(0, sizeof(before_), &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_{};
};

/// A call of `train` in a folder of its own, with a method of two steps.
class Training {
 public:
  Outcome train(const std::string& method, std::vector<std::string> more) const {
    std::vector<std::string> words{"train", method,  "--images", kPhotos,   "--class", "man",      "--base",
                                   kBase,   "--out", out(),      "--store", store(),   "--device", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return run_atelier(words);
  }
  Outcome two_steps(std::vector<std::string> more) const {
    more.insert(more.end(), {"--set", "resolution=32", "embedding.max_train_steps=2", "embedding.train_batch_size=1",
                             "embedding.learning_rate=0.1"});
    return train("textual_inversion", more);
  }
  [[nodiscard]] std::string out() const { return folder_ / "out"; }
  [[nodiscard]] std::string store() const { return folder_ / "store"; }
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }

 private:
  OneCpu cpu_;
  TemporaryFolder folder_;
};

/// The lines of the faults, without "atelier: ".
std::vector<std::string> told(const Outcome& refused) {
  CHECK(refused.status == 2);
  CHECK(refused.out.empty());
  std::vector<std::string> faults;
  for (const auto& line : lines_of(refused.err)) faults.push_back(line.substr(std::string("atelier: ").size()));
  return faults;
}

}  // namespace

TEST_CASE("Faults of train name the options of the command, all at once", "[study][train]") {
  const Training training;
  const auto faults = told(training.train(
      "textreg", {"--preset", "readmee", "--set", "lora_rnk=4", "mask_identifier_ratio=2", "ti.lr_power=2"}));
  REQUIRE(faults.size() == 4);
  CHECK(faults[0].starts_with("--preset: textreg has no preset \"readmee\"; expected one of readme, "));
  CHECK(faults[1] == "--set lora_rnk=4: textreg has no option \"lora_rnk\"; did you mean lora_rank?");
  CHECK(
      faults[2].starts_with("--set mask_identifier_ratio=2: mask_identifier_ratio: 2; expected a number from 0 to 1"));
  CHECK(faults[3].starts_with("--set ti.lr_power=2: ti.lr_power has no effect unless "));
  CHECK_FALSE(fs::exists(training.store()));
}

TEST_CASE("An unknown method, base model, device or folder without photos is told by its option", "[study][train]") {
  const Training training;
  CHECK(told(training.train("textregg", {}))[0].starts_with("METHOD: no installed method \"textregg\""));
  const TemporaryFolder empty;
  const auto refused = [&](const std::string& option, const std::string& value) {
    std::vector<std::string> words{"train", "textreg", "--out", training.out(), "--store", training.store()};
    for (const auto& [name, usual] : {std::pair("--images", kPhotos), std::pair("--class", std::string("man")),
                                      std::pair("--base", kBase), std::pair("--device", std::string("cpu"))}) {
      words.insert(words.end(), {name, name == option ? value : usual});
    }
    return told(run_atelier(words)).at(0);
  };
  CHECK(refused("--images", empty.path()).starts_with("--images: " + empty.path().string()));
  CHECK(refused("--base", "no/such/model").starts_with("--base: "));
  CHECK(refused("--device", "gpu").starts_with("--device: \"gpu\"; expected auto, cpu, cuda"));
}

TEST_CASE("train --fixed-loss measures the loss on fixed photos", "[study][train]") {
  const Training training;
  const auto done = training.two_steps({"--fixed-loss", "2"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto status = json::parse(run_atelier({"status", "--store", training.store(), "--json"}).out);
  const std::string name = status[0]["study"];
  const auto losses = run_atelier({"table", name, "--losses", "--store", training.store()});
  CHECK(losses.status == 0);
  CHECK_THAT(losses.out, Catch::Contains("| textual_inversion embedding step 2 |"));
}

TEST_CASE("With --json every line that train prints is JSON, the last one names the file", "[study][train]") {
  const Training training;
  for (int call = 0; call < 2; ++call) {  // the second one finds everything done
    const auto done = training.two_steps({"--json"});
    INFO(done.err);
    REQUIRE(done.status == 0);
    const auto lines = lines_of(done.out);
    REQUIRE(lines.size() > 1);
    for (const auto& line : lines) {
      INFO(line);
      CHECK(json::accept(line));
    }
    CHECK(json::parse(lines.back()) == json{{"event", "written"}, {"file", training.out() + "/artifact.safetensors"}});
  }
  const auto failed = training.train("textual_inversion", {"--json", "--set", "initializer_token=a b"});
  CHECK(failed.status == 1);
  CHECK(failed.err.empty());
  for (const auto& line : lines_of(failed.out)) CHECK(json::accept(line));
}

TEST_CASE("The authors' file of Textual Inversion samples like the artifact that it was written from",
          "[study][train]") {
  const Training training;
  REQUIRE(training.two_steps({"--set", "num_vectors=2"}).status == 0);
  const auto status = json::parse(run_atelier({"status", "--store", training.store(), "--json"}).out);
  const std::string study = status.at(0).at("study");
  const auto exported = run_atelier({"export", study, "--artifacts", "--form", "authors", "--out",
                                     (training.folder() / "authors").string(), "--store", training.store()});
  INFO(exported.err);
  REQUIRE(exported.status == 0);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(training.folder() / "authors")) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  REQUIRE(files.size() == 1);
  CHECK(files.front().filename() == "learned_embeds.safetensors");
  const auto latents = [&](const std::string& name, const std::vector<std::string>& artifact) {
    const std::string file = training.folder() / (name + ".safetensors");
    std::vector<std::string> words{
        "sample",  "--model",       kBase,     "--prompt", "a photo of {}",
        "--class", "man",           "--steps", "2",        "--size",
        "64x64",   "--latents-out", file,      "--out",    (training.folder() / name).string()};
    words.insert(words.end(), artifact.begin(), artifact.end());
    const auto sampled = run_atelier(words);
    INFO(sampled.err);
    CHECK(sampled.status == 0);
    return bytes_of(file);
  };
  const auto ours = latents("ours", {"--artifact", training.out() + "/artifact.safetensors"});
  CHECK(!ours.empty());
  CHECK(latents("theirs", {"--artifact", files.front().string()}) == ours);
  CHECK(latents("none", {"--placeholder", "photo"}) != ours);
}
