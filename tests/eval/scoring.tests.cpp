#include "eval/scoring.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>

#include "eval/feature_files.h"
#include "eval/score_table.h"
#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "tests/eval/scene.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

namespace {

using namespace atelier;
using Catch::Contains;

/// The same picture as a decoder's floats in 0..1: its 8-bit levels over 255.
eval::Picture as_floats(const eval::Picture& picture) {
  const Image image = decode(picture.bytes, picture.name).image;
  FloatImage floats{image.width, image.height, {}};
  for (const auto level : image.pixels) floats.pixels.push_back((static_cast<float>(level) / 127.5f - 1 + 1) / 2);
  return {.name = picture.name, .bytes = {}, .floats = floats};
}

}  // namespace

TEST_CASE("A picture's scores do not depend on what is scored beside it, nor on its place", "[eval][scoring]") {
  Scene scene("cat2");
  const auto together = scene.score(ti_protocol());
  auto& pictures = scene.sets.front().pictures;
  std::ranges::reverse(pictures);
  pictures.insert(pictures.begin(), pictures.back());  // the first one of before, now at two places
  const auto moved = scene.score(ti_protocol());
  const auto& before = together.sets.front().images;
  const auto& after = moved.sets.front().images;
  REQUIRE(after.size() == before.size() + 1);
  for (std::size_t k = 0; k < before.size(); ++k) {
    CHECK((after[after.size() - 1 - k].pairs == before[k].pairs));  // bit for bit
    CHECK((after[after.size() - 1 - k].texts == before[k].texts));
  }
  CHECK((after.front().pairs == before.front().pairs));
}

TEST_CASE("Permuting the references permutes the pairs and changes no score", "[eval][scoring]") {
  Scene scene("cat2");
  const auto straight = scene.score(ti_protocol());
  std::ranges::reverse(scene.references);
  scene.duplicates.clear();
  const auto reversed = scene.score(ti_protocol());
  for (std::size_t i = 0; i < straight.sets.size(); ++i) {
    for (std::size_t k = 0; k < straight.sets[i].images.size(); ++k) {
      auto pairs = reversed.sets[i].images[k].pairs.at("clip");
      std::ranges::reverse(pairs);
      CHECK((pairs == straight.sets[i].images[k].pairs.at("clip")));
    }
    CHECK(*reversed.sets[i].scores.at("clip_i") == Approx(*straight.sets[i].scores.at("clip_i")).margin(1e-12));
  }
  CHECK(*reversed.anchors.at("clip_i_all") == Approx(*straight.anchors.at("clip_i_all")).margin(1e-12));
}

TEST_CASE("The mean pair cosine is the dot product of the mean vectors", "[eval][scoring]") {
  const Scene scene("dog6");
  const auto protocol = ti_protocol();
  auto sized = protocol;
  sized.pictures.size = eval::side_of_first(scene.sets.front().pictures, ExifRule::apply).value();
  const auto& use = protocol.encoders.at("clip");
  const auto vectors = [&](const std::vector<eval::Picture>& pictures, TiRole role) {
    return eval::picture_features(*scene.encoders.at("clip"), use, sized, pictures, role).unit.mean(0);
  };
  const Tensor generated = vectors(scene.sets.front().pictures, TiRole::generated);
  const Tensor references = vectors(scene.references, TiRole::reference);
  const auto scores = scene.score(protocol);
  CHECK(*scores.sets.front().scores.at("clip_i") ==
        Approx((generated * references).sum().item<double>()).margin(1e-12));
  CHECK(*scores.sets.front().scores.at("gbar_norm") ==
        Approx((generated * generated).sum().sqrt().item<double>()).margin(1e-12));
}

TEST_CASE("References as generated pictures have cosine 1 on the diagonal", "[eval][scoring]") {
  Scene scene("cat2");
  // Generated pictures are not squashed; at the references' own size neither are the references.
  scene.sets.resize(1);
  scene.sets.front().pictures = {scene.sets.front().pictures.front()};
  scene.references = scene.sets.front().pictures;
  scene.duplicates.clear();
  const auto scores = scene.score(ti_protocol());
  CHECK(scores.sets.front().images.front().pairs.at("clip").front() == Approx(1.0).margin(1e-12));
  CHECK(*scores.anchors.at("clip_i_all") == Approx(1.0).margin(1e-12));
  CHECK_FALSE(scores.anchors.at("clip_i_distinct").has_value());  // one reference has no pairs
}

TEST_CASE("T_paper is at least T_code where T_code is positive", "[eval][scoring]") {
  const Scene scene("cat2");
  std::size_t seen = 0;
  for (const auto& set : scene.score(ti_protocol()).sets) {
    if (*set.scores.at("clip_t") <= 0) continue;
    ++seen;
    CHECK(*set.scores.at("clip_t_paper") >= *set.scores.at("clip_t"));
    CHECK(*set.scores.at("gbar_norm") <= 1.0);
  }
  CHECK(seen > 0);
}

TEST_CASE("A scaled text score over its scale is the mean of the cosines that are kept, where all are positive",
          "[eval][scoring]") {
  const Scene scene("cat2");
  const auto plain = scene.score(ti_protocol());
  auto protocol = ti_protocol();
  protocol.text_scale = 2.5;
  const auto scaled = scene.score(protocol);
  std::size_t positive = 0;
  for (std::size_t i = 0; i < scaled.sets.size(); ++i) {
    const auto& images = scaled.sets[i].images;
    double sum = 0.0;
    for (std::size_t k = 0; k < images.size(); ++k) {
      const double cosine = images[k].texts.at("clip");
      CHECK(cosine == plain.sets[i].images[k].texts.at("clip"));
      CHECK(*images[k].scores(protocol).at("clip_t") == 2.5 * std::max(0.0, cosine));
      sum += cosine;
    }
    const bool all = std::ranges::all_of(images, [](const auto& image) { return image.texts.at("clip") > 0; });
    if (!all) continue;
    ++positive;
    CHECK(*scaled.sets[i].scores.at("clip_t") / 2.5 == Approx(sum / static_cast<double>(images.size())).epsilon(1e-12));
  }
  CHECK(positive > 0);
}

TEST_CASE("Files of vectors appear together, or not at all", "[eval][features]") {
  const TemporaryFolder folder;
  Scene scene("cat2");
  eval::ScoredConcept subject{
      .name = "cat2", .references = scene.names, .sets = {}, .scores = scene.score(ti_protocol())};
  for (const auto& set : scene.sets) {
    auto& sheet = subject.sets.emplace_back();
    for (const auto& picture : set.pictures) sheet.files.push_back(picture.name);
  }
  const auto place = folder / "a/b";
  { const eval::FeatureFiles dropped(place, ti_protocol(), {subject}); }
  CHECK_FALSE(std::filesystem::exists(folder / "a"));
  eval::FeatureFiles kept(place, ti_protocol(), {subject});
  CHECK_FALSE(std::filesystem::exists(place / "clip.safetensors"));
  kept.commit();
  CHECK(std::filesystem::exists(place / "clip.safetensors"));
  CHECK(std::distance(std::filesystem::directory_iterator(place), {}) == 1);
}

TEST_CASE("A decoder's floats score as the file with the same levels", "[eval][scoring]") {
  Scene scene("dog6");
  const auto files = scene.score(ti_protocol());
  for (auto& set : scene.sets) std::ranges::transform(set.pictures, set.pictures.begin(), as_floats);
  const auto floats = scene.score(ti_protocol());
  const auto &before = files.sets.front().images.front(), &after = floats.sets.front().images.front();
  for (std::size_t r = 0; r < before.pairs.at("clip").size(); ++r) {
    CHECK(after.pairs.at("clip")[r] == Approx(before.pairs.at("clip")[r]).margin(1e-6));
  }
}

TEST_CASE("A damaged picture becomes a row without scores and is left out of every mean", "[eval][scoring]") {
  Scene scene("cat2");
  const auto whole = scene.score(ti_protocol());
  auto& pictures = scene.sets.front().pictures;
  auto damaged = pictures.front();
  damaged.bytes = damaged.bytes.first(damaged.bytes.size() / 2);
  pictures.insert(pictures.begin() + 1, damaged);
  const auto scores = scene.score(ti_protocol());
  const auto& images = scores.sets.front().images;
  CHECK(images[1].status == "decode_error");
  CHECK(images[1].scores(ti_protocol()).empty());
  CHECK((images[2].pairs == whole.sets.front().images[1].pairs));
  CHECK((scores.sets.front().scores == whole.sets.front().scores));

  scene.sets.front().pictures = {damaged};
  const auto none = scene.score(ti_protocol());
  for (const auto& [name, value] : none.sets.front().scores) CHECK_FALSE(value.has_value());
}

TEST_CASE("The score table has a row for every picture, with null where nothing was scored", "[eval][scoring]") {
  Scene scene("cat2");
  scene.sets.resize(1);
  auto& pictures = scene.sets.front().pictures;
  pictures.resize(2);
  pictures[1].bytes = pictures[1].bytes.first(20);
  const auto protocol = ti_protocol();
  const eval::SetFacts facts{
      .prompt = "photo", .role = "reconstruction", .pictures = {{7, "aa"}, {std::nullopt, "bb"}}};
  std::vector<eval::ReferenceFacts> references;
  for (const auto& name : scene.names) references.push_back({name, "cc"});
  const Json table = eval::score_table(protocol, scene.score(protocol), {facts}, references);
  CHECK(table["schema"] == "atelier.scoretable/1");
  CHECK(table["protocol"] == "ti_code");
  REQUIRE(table["images"].size() == 2);
  CHECK(table["images"][0]["pair_scores"]["clip"].size() == scene.references.size());
  CHECK(table["images"][0]["seed"] == 7);
  CHECK(table["images"][1]["status"] == "decode_error");
  CHECK(table["images"][1]["pair_scores"]["clip"].is_null());
  CHECK(table["images"][1]["text_scores"]["clip"].is_null());
  CHECK(table["sets"][0]["role"] == "reconstruction");
  CHECK(table["settings"]["image"]["size"].is_number_integer());  // resolved: the generated pictures' side
}

TEST_CASE("What cannot be scored is an error that says why", "[eval][scoring]") {
  Scene scene("cat2");
  SECTION("a text of more tokens than the encoder reads") {
    scene.sets.front().text = std::string(200, 'x') + " {} on the moon";
    CHECK_THROWS_WITH(scene.score(ti_protocol()),
                      Contains("scoring text") && Contains("tokens") && Contains("at most"));
  }
  SECTION("a reference that is damaged") {
    scene.references.front().bytes = scene.references.front().bytes.first(10);
    CHECK_THROWS_WITH(scene.score(ti_protocol()), Contains("a reference that cannot be decoded"));
  }
  SECTION("no references") {
    scene.references.clear();
    CHECK_THROWS_WITH(scene.score(ti_protocol()), Contains("no references"));
  }
  SECTION("a role without an encoder") {
    scene.encoders.clear();
    CHECK_THROWS_WITH(scene.score(ti_protocol()), Contains("no encoder clip"));
  }
}
