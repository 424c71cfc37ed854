// Measures of whole sets of pictures against make_set_references.py: transformers, Pillow, numpy and scipy.
#include "eval/set_measures.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/score_table.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "tests/eval/encoder_reference.h"
#include "tests/eval/scene.h"
#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;
using Catch::Contains;

constexpr double kSetTolerance = 1e-5;
const std::string kParity = ATELIER_SOURCE_DIR "/tests/parity/models/image_encoders/";

Json expected_sets() { return read_json_file(eval_folder() / "references/sets.json"); }

/// One of class_drift and div at once, with the tiny networks' own sides; without `against` what textreg_id does.
eval::Protocol set_protocol(bool against_base) {
  Json settings{
      {"id", "sets"},
      {"text_rule", "class"},
      {"batch", 4},
      {"encoders",
       {{"inception",
         {{"front_end", "inception-textreg"}, {"reference_front_end", "inception-clean"}, {"scores", {"kid"}}}}}}};
  if (!against_base) return eval::Protocol::from_json(settings, "sets");
  settings["against"] = "base";
  settings["encoders"] = {{"clip", {{"front_end", "clip-hf"}, {"scores", {"text", "change"}}}},
                          {"dino", {{"front_end", "dino-orig"}, {"scores", {"pres"}}}},
                          {"dinov2", {{"front_end", "dinov2-hf"}, {"scores", {"paired", "div"}}}},
                          {"inception", {{"front_end", "inception-clean"}, {"scores", {"kid", "fid"}}}},
                          {"lpips", {{"front_end", "lpips"}, {"scores", {"paired", "div"}}}}};
  return eval::Protocol::from_json(settings, "sets");
}

const eval::PictureSet& set_of(const Scene& scene, const std::string& prompt) {
  return *std::ranges::find(scene.sets, prompt, &eval::PictureSet::prompt);
}

/// cat2's pictures, with dog6's as the base model's.
class SetScene : public Scene {
 public:
  SetScene() : Scene("cat2"), other_("dog6") {
    std::vector<eval::PictureSet> chosen;
    for (const auto& [prompt, text] :
         {std::pair("photo", "a photo of a {}"), std::pair("moon", "a photo of a {} on the moon")}) {
      auto& set = chosen.emplace_back(set_of(*this, prompt));
      set.text = text;
      set.class_word = "cat";
      set.beside = set_of(other_, prompt).pictures;
    }
    sets = std::move(chosen);
    encoders["dino"] = open_on_cpu(kParity + "dino");
    encoders["dinov2"] = open_on_cpu(kParity + "dinov2", PositionInterpolation::size);  // transformers'

    encoders["inception"] = open_on_cpu(kParity + "dino");
    encoders["lpips"] = open_on_cpu(kParity + "dino");
  }

 private:
  Scene other_;
};

void check_set(const Json& wanted, const eval::NamedScores& found) {
  for (const auto& [name, value] : wanted.items()) {
    INFO(name);
    REQUIRE(found.at(name));
    CHECK(*found.at(name) == Approx(value.get<double>()).epsilon(kSetTolerance).margin(kSetTolerance));
  }
}

}  // namespace

TEST_CASE("Drift, prior preservation and diversity of sets are those of numpy and scipy", "[eval][sets]") {
  const SetScene scene;
  const auto scores = scene.score(set_protocol(true));
  const Json wanted = expected_sets();
  for (std::size_t i = 0; i < scene.sets.size(); ++i) check_set(wanted["sets"][i]["scores"], scores.sets[i].scores);
  CHECK(scores.pooled.pictures == wanted["against_base"]["n"]);
  CHECK(scores.pooled.others == wanted["against_base"]["n"]);
  CHECK(*scores.pooled.scores.at("kid") == Approx(wanted["against_base"]["kid"].get<double>()).epsilon(1e-4));
  CHECK(*scores.pooled.scores.at("fid") == Approx(wanted["against_base"]["fid"].get<double>()).epsilon(1e-4));
}

TEST_CASE("KID of pictures and references is the mean over random subsets of the smaller side", "[eval][sets]") {
  const SetScene scene;
  const auto scores = scene.score(set_protocol(false));
  const Json wanted = expected_sets()["against_references"];
  CHECK(scores.pooled.pictures == wanted["n"]);
  CHECK(scores.pooled.others == wanted["others"]);
  // 100 of the 15 subsets, drawn; within a few standard errors of their mean.
  CHECK(*scores.pooled.scores.at("kid") == Approx(wanted["kid"].get<double>()).epsilon(0.2));
  CHECK(scene.score(set_protocol(false)).pooled.scores.at("kid") == scores.pooled.scores.at("kid"));
}

TEST_CASE("A model that did not drift has no distance from its base model", "[eval][sets]") {
  SetScene scene;
  for (auto& set : scene.sets) set.beside = set.pictures;
  const auto scores = scene.score(set_protocol(true));
  for (const auto& set : scores.sets) {
    CHECK(*set.scores.at("lpips_paired") == 0.0);
    CHECK(*set.scores.at("dinov2_paired") == Approx(1.0).margin(1e-12));
    CHECK(*set.scores.at("clip_t_change") == 0.0);
    CHECK(*set.scores.at("dino_pres_change") == 0.0);
  }
  CHECK(std::abs(*scores.pooled.scores.at("fid")) < 1e-9);
  CHECK(*scores.pooled.scores.at("kid") <= 0.0);  // unbiased: the pairs of a picture with itself count across alone
}

TEST_CASE("Measures of sets leave out what cannot be decoded, and its partner", "[eval][sets]") {
  SetScene scene;
  auto& set = scene.sets.front();
  set.pictures.resize(2);
  set.beside.resize(2);
  scene.sets.resize(1);
  const auto one = [&] {
    SetScene small;
    small.sets.resize(1);
    small.sets.front().pictures.resize(1);
    small.sets.front().beside.resize(1);
    return small.score(set_protocol(true));
  }();
  set.pictures[1].bytes = set.pictures[1].bytes.first(20);
  const auto scores = scene.score(set_protocol(true));
  CHECK(scores.sets.front().scores.at("dinov2_paired") == one.sets.front().scores.at("dinov2_paired"));
  CHECK(scores.sets.front().scores.at("lpips_paired") == one.sets.front().scores.at("lpips_paired"));
  CHECK_FALSE(scores.sets.front().scores.at("lpips_div"));  // one picture has no pairs
  CHECK_FALSE(scores.pooled.scores.at("kid"));
  CHECK(scores.pooled.pictures == 1);
  CHECK(scores.pooled.others == 2);
}

TEST_CASE("The score table has what was pooled as a set without a prompt", "[eval][sets]") {
  const SetScene scene;
  const auto protocol = set_protocol(true);
  const std::vector<eval::SetFacts> facts{{"photo", "drift", {3, {1, "aa"}}}, {"moon", "drift", {3, {1, "aa"}}}};
  const Json table = eval::score_table(protocol, scene.score(protocol), facts, {});
  REQUIRE(table["sets"].size() == 3);
  CHECK(table["sets"][0]["scores"]["dino_pres"].is_number());
  CHECK(table["sets"][2]["prompt"] == "");
  CHECK(table["sets"][2]["text"] == "6 pictures against 6");
  CHECK(table["sets"][2]["scores"].size() == 2);
}

TEST_CASE("What cannot be measured of sets is an error that says why", "[eval][sets]") {
  SetScene scene;
  scene.sets.front().beside.pop_back();
  CHECK_THROWS_WITH(scene.score(set_protocol(true)), Contains("2 pictures of the base model beside 3"));
  const Json settings{{"id", "x"},
                      {"text_rule", "class"},
                      {"encoders", {{"dinov2", {{"front_end", "dinov2-hf"}, {"scores", {"paired"}}}}}}};
  CHECK_THROWS_WITH(eval::Protocol::from_json(settings, "p"), Contains("against: base"));
}
