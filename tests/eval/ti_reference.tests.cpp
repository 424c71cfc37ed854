// The Textual Inversion protocols against scores that make_references.py computed with transformers and Pillow.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/eval/scene.h"
#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;

constexpr double kTolerance = 1e-5;

const Json& expected() {
  static const Json json = read_json_file(ATELIER_SOURCE_DIR "/tests/eval/references/expected.json");
  return json["ti_code"];
}

/// The entry whose keys have these values.
const Json& entry(const Json& list, const Json& keys) {
  for (const Json& one : list) {
    const bool same =
        std::ranges::all_of(keys.items(), [&](const auto& item) { return one.at(item.key()) == item.value(); });
    if (same) return one;
  }
  throw std::runtime_error("no entry " + keys.dump());
}

void check_scores(const Json& wanted, const eval::NamedScores& found, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    CAPTURE(name);
    REQUIRE(found.contains(name));
    REQUIRE(found.at(name).has_value());
    CHECK(*found.at(name) == Approx(wanted.at(name).get<double>()).margin(kTolerance));
  }
}

void check_pairs(const std::string& subject, const Scene& scene, std::size_t set, const eval::Scores& scores) {
  for (std::size_t k = 0; k < scores.sets[set].images.size(); ++k) {
    const auto& cosines = scores.sets[set].images[k].pairs.at("clip");
    for (std::size_t r = 0; r < scene.names.size(); ++r) {
      const Json& pair =
          entry(expected()["pairs"],
                {{"concept", subject}, {"prompt", scene.sets[set].prompt}, {"k", k}, {"reference", scene.names[r]}});
      CHECK(cosines.at(r) == Approx(pair["scores"]["clip_i"].get<double>()).margin(kTolerance));
    }
  }
}

}  // namespace

TEST_CASE("Scores of ti_code and ti_paper equal those of the reference libraries", "[eval][ti]") {
  const std::string subject = GENERATE("cat2", "dog6");
  const Scene scene(subject);
  const auto scores = scene.score(ti_protocol());
  REQUIRE(scores.sets.size() == scene.sets.size());
  for (std::size_t i = 0; i < scores.sets.size(); ++i) {
    const Json place{{"concept", subject}, {"prompt", scene.sets[i].prompt}};
    CAPTURE(place.dump());
    const Json& set = entry(expected()["sets"], place);
    CHECK(scores.sets[i].scoring_text == set["text"]);
    check_scores(set["scores"], scores.sets[i].scores, {"clip_i", "clip_t", "gbar_norm", "clip_t_paper"});
    for (std::size_t k = 0; k < scores.sets[i].images.size(); ++k) {
      Json image = place;
      image["k"] = k;
      check_scores(entry(expected()["images"], image)["scores"], scores.sets[i].images[k].scores(ti_protocol()),
                   {"clip_i", "clip_t"});
    }
    check_pairs(subject, scene, i, scores);
  }
  const Json& anchors = entry(expected()["anchors"]["concepts"], {{"concept", subject}})["scores"];
  check_scores(anchors, scores.anchors, {"clip_i_all", "clip_i_distinct", "clip_t"});
}
