// Methods that learn: one concept of the pocket world, whose base model can draw what a prompt says.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/store/store.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string kPocket = ATELIER_SOURCE_DIR "/experiments/pocket";

class PocketPlace {
 public:
  PocketPlace() {
    std::ofstream(study()) << fmt::format(R"(study: learns
concepts: {{root: {0}/concepts, list: [star_cat]}}
methods:
  textual_inversion: {{base: {0}/base, preset: pocket}}
  textreg:           {{base: {0}/base, preset: pocket, options: {{max_train_steps: 250}}}}
sampler: {{scheduler: ddim, steps: 20, guidance: 5.0}}
evaluate: [{{protocol: ti_code, images: 8, prompts: pocket/photo}}]
encoders: {{clip: {0}/base/clip}}
fixed_loss: 8
placement: {{device: cpu, dtype: float32, threads: 1}}
)",
                                          kPocket);
  }

  [[nodiscard]] Outcome run() const { return run_atelier({"run", study(), "--store", store()}); }

  /// clip_i by method, "class word" among them.
  [[nodiscard]] std::map<std::string, double> identity() const {
    const auto table = json::parse(run_atelier({"table", "learns", "--store", store(), "--as", "json"}).out);
    std::map<std::string, double> found;
    for (const auto& row : table["rows"]) {
      const json& mean = row["cells"]["ti_code.clip_i"]["mean"];
      if (mean.is_number()) found[row["label"].get<std::string>()] = mean.get<double>();
    }
    return found;
  }

  /// The summaries of all stages by "method stage".
  [[nodiscard]] std::map<std::string, json> trainings() const {
    std::map<std::string, json> all;
    const auto opened = atelier::Store::open(store());
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(store()) / "keys")) {
      if (entry.path().extension() != ".json") continue;
      const auto record = opened.find(entry.path().stem().string());
      if (!record || record->description["kind"] != "train") continue;
      json found = record->summary;
      found["file"] = opened.object_path(record->object).string();
      all[record->description["method"].get<std::string>() + " " + record->description["stage"].get<std::string>()] =
          found;
    }
    return all;
  }

  /// The pixels of pictures of a prompt without the learned word, compressed; `artifact` may be empty.
  [[nodiscard]] std::string sampled(const std::string& artifact, const std::string& name) const {
    const std::string out = folder_ / name;
    std::vector<std::string> words{
        "sample",    "--model", kPocket + "/base", "--prompt", "a photo of a red cup", "--steps", "4", "--out", out,
        "--threads", "1",       "--seed",          "3",        "--scheduler",          "ddim"};
    if (!artifact.empty()) words.insert(words.end(), {"--artifact", artifact});
    const Outcome done = run_atelier(words);
    INFO(done.err);
    REQUIRE(done.status == 0);
    std::string bytes;
    for (const auto& entry : fs::recursive_directory_iterator(out)) {
      if (entry.path().extension() != ".png") continue;
      std::ifstream stream(entry.path(), std::ios::binary);
      const std::string file(std::istreambuf_iterator<char>(stream), {});
      bytes += file.substr(file.find("IDAT"));  // what lies before says where the picture comes from
    }
    return bytes;
  }

  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }
  [[nodiscard]] std::string study() const { return folder_ / "study.yaml"; }
  [[nodiscard]] std::string store() const { return folder_ / "store"; }

 private:
  TemporaryFolder folder_;
};

std::map<std::string, fs::file_time_type> times_of(const std::string& folder) {
  std::map<std::string, fs::file_time_type> times;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    times[entry.path().string()] = entry.last_write_time();
  return times;
}

}  // namespace

TEST_CASE(
    "In the pocket world each method lowers its loss, comes closer to the photos than the class word does, and "
    "leaves the rest of the model as it was",
    "[study][pocket]") {
  const PocketPlace place;
  const auto base = times_of(kPocket + "/base");
  const Outcome done = place.run();
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK(times_of(kPocket + "/base") == base);

  const auto trainings = place.trainings();
  REQUIRE(trainings.size() == 3);
  for (const char* last : {"textual_inversion embedding", "textreg ut"}) {
    INFO(last);
    const json& summary = trainings.at(last);
    CHECK(summary["eval_loss_after"].get<double>() < summary["eval_loss_before"].get<double>());
  }

  const auto identity = place.identity();
  CAPTURE(json(identity).dump());
  const auto class_word = identity.at("class word (base)");
  CHECK(identity.at("textual_inversion") > class_word + 0.05);
  CHECK(identity.at("textreg") > class_word + 0.05);

  // A learned token alone: prompts without it give the base model's pictures, bit for bit.
  const std::string untouched = place.sampled("", "base");
  REQUIRE_FALSE(untouched.empty());
  CHECK(place.sampled(trainings.at("textual_inversion embedding")["file"], "token") == untouched);
  CHECK(place.sampled(trainings.at("textreg ti")["file"], "identifier") == untouched);
  CHECK(place.sampled(trainings.at("textreg ut")["file"], "updates") != untouched);
}
