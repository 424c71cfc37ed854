// Grids: which pictures they hold, and what stands where one is missing.
#include "reports/pictures.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "reports/grid_image.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

constexpr Colour kRed{255, 0, 0}, kGreen{0, 255, 0}, kBlue{0, 0, 255}, kWhitePixel{255, 255, 255},
    kGreyPixel{208, 208, 208};

Colour pixel(const Image& image, int x, int y) {
  const auto* at = image.row(y) + 3 * static_cast<std::ptrdiff_t>(x);
  return {at[0], at[1], at[2]};
}

const std::vector<std::pair<std::string, std::string>> kTwoPrompts{{"r/0", "a photo of {}"}, {"e/0", "{} on a beach"}};

/// A photo, a method with two seeds and two checkpoints, and an anchor whose second picture is not there.
struct TwoRows : StudyInStore {
  TwoRows() {
    write_png(folder() / "cat.png", flat(kGreen, {8, 4}));
    add("ti", 0, 100, "ti", kBlue, kBlue);
    add("ti", 0, 200, "ti", kRed, kGreen);
    add("ti", 1, 200, "ti", kBlue, kBlue);
    const auto anchor = run("anchor:class_word", "cat", Json(), "class word (sd)");
    publish_pictures(sample_job(anchor, kTwoPrompts)[0], {kRed});
  }

  void add(const std::string& method, int seed, int step, const std::string& label, Colour first, Colour second) {
    const auto id = run(method, "cat", seed, label, step);
    const auto keys = sample_job(id, kTwoPrompts, 2);
    const auto photo = (folder() / "cat.png").string();
    last_job()["job"] = {
        {"photos", {{{"path", photo}, {"sha256", sha256_file(photo)}}}},
        {"concept", {{"class_word", "cat"}}},
        {"sets", {{{"prompt_id", "r/0"}, {"role", "reconstruction"}}, {{"prompt_id", "e/0"}, {"role", "edit"}}}}};
    publish_pictures(keys[0], {first, first});
    publish_pictures(keys[1], {second, second});
  }

  std::vector<ConceptGrid> grids(const GridChoice& choice = {}) const {
    const auto digest = plan();
    auto opened = index();
    return read_grids(opened, store(), digest, choice);
  }
};

}  // namespace

TEST_CASE("a grid has the last checkpoint of every training, anchors last", "[reports][pictures]") {
  const TwoRows study;
  const auto grids = study.grids();
  REQUIRE(grids.size() == 1);
  const auto& grid = grids[0];
  CHECK(grid.subject == "cat");
  CHECK(grid.class_word == "cat");
  REQUIRE(grid.prompts.size() == 2);
  CHECK(grid.prompts[1].text == "{} on a beach");
  CHECK(grid.prompts[1].role == "edit");
  REQUIRE(grid.rows.size() == 3);
  CHECK(grid.rows[0].checkpoint == 200);
  CHECK(grid.rows[0].seed == 0);
  CHECK(grid.rows[1].seed == 1);
  CHECK(grid.rows[2].kind == "anchor");
  CHECK(grid.rows[0].cells[0].expected == 2);
  CHECK(grid.rows[2].cells[1].object.empty());
  const auto first = study.grids({.every_seed = false});
  REQUIRE(first[0].rows.size() == 2);
  CHECK(first[0].rows[0].checkpoint == 200);
  CHECK(first[0].rows[0].seed == 0);
}

TEST_CASE("prompts are chosen evenly, a quarter of them for reconstruction", "[reports][pictures]") {
  StudyInStore study;
  std::vector<std::pair<std::string, std::string>> prompts;
  Json sets = Json::array();
  for (const auto* role : {"reconstruction", "edit"}) {
    for (int i = 0; i < 20; ++i) {
      prompts.emplace_back(fmt::format("{}/{}", role, i), "text");
      sets.push_back({{"prompt_id", prompts.back().first}, {"role", role}});
    }
  }
  static_cast<void>(study.sample_job(study.run("ti", "cat", 0, "ti"), prompts));
  study.last_job()["job"] = {{"sets", sets}};
  auto index = study.index();
  const auto chosen = [&](std::size_t count) {
    std::vector<std::string> ids;
    const auto grids = read_grids(index, study.store(), study.plan(), {.prompts = count});
    for (const auto& prompt : grids[0].prompts) ids.push_back(prompt.id);
    return ids;
  };
  static_cast<void>(study.plan());
  CHECK(index.refresh());
  CHECK(chosen(4) == std::vector<std::string>{"reconstruction/0", "edit/0", "edit/6", "edit/13"});
  CHECK(chosen(8) == std::vector<std::string>{"reconstruction/0", "reconstruction/10", "edit/0", "edit/3", "edit/6",
                                              "edit/10", "edit/13", "edit/16"});
  CHECK(chosen(100).size() == 40);
  CHECK(read_grids(index, study.store(), study.plan(), {.prompts = 4})[0].all_prompts == 40);
}

TEST_CASE("the grid's picture: photos, then a row a method, then anchors, holes in grey", "[reports][pictures]") {
  const TwoRows study;
  PictureReader reader(study.store());
  const auto grids = study.grids({.every_seed = false});
  const auto image = draw_grids(grids, reader);
  CHECK(image.width == 4 + 2 + 4);
  CHECK(image.height == 4 + 2 + 4 + 2 + 4);
  CHECK(pixel(image, 1, 1) == kGreen);       // the photo, cut to a square
  CHECK(pixel(image, 7, 1) == kWhitePixel);  // there is one photo
  CHECK(pixel(image, 4, 7) == kWhitePixel);  // between
  CHECK(pixel(image, 1, 7) == kRed);         // step 200 of seed 0
  CHECK(pixel(image, 7, 7) == kGreen);
  CHECK(pixel(image, 1, 13) == kRed);
  CHECK(pixel(image, 7, 13) == kGreyPixel);  // not made yet
  CHECK(draw_grids(grids, reader, {.side = 8}).width == 18);
  CHECK(encode_png(draw_grids(study.grids({.every_seed = false}), reader)) == encode_png(image));
}

TEST_CASE("concepts beside each other, each column and each row of them in line", "[reports][pictures]") {
  const TwoRows study;
  PictureReader reader(study.store());
  auto grids = study.grids({.every_seed = false});
  grids = {grids[0], grids[0], grids[0]};
  grids[1].rows.clear();
  const auto image = draw_grids(grids, reader, {.across = 2});
  CHECK(image.width == 10 + 12 + 10);
  CHECK(image.height == 16 + 12 + 16);
  CHECK(pixel(image, 22 + 1, 1) == kGreen);       // the second one's photo
  CHECK(pixel(image, 22 + 1, 7) == kWhitePixel);  // it has no rows
  CHECK(pixel(image, 1, 7) == kRed);
  CHECK(pixel(image, 1, 28 + 7) == kRed);  // the third one's row
  CHECK(pixel(image, 22 + 1, 28 + 7) == kWhitePixel);
  CHECK(draw_grids(grids, reader, {.across = 9}).width == 3 * 10 + 2 * 12);
}

TEST_CASE("pictures that failed, are damaged, or photos that changed are hatched", "[reports][pictures]") {
  StudyInStore study;
  const auto run = study.run("ti", "cat", 0, "ti");
  const auto keys = study.sample_job(run, kTwoPrompts);
  study.last_job()["job"] = {{"photos", {{{"path", "/nowhere/cat.png"}, {"sha256", "x"}}}}};
  study.publish(keys[0], "no archive");
  study.fail(keys[1], "method", "no");
  auto index = study.index();
  static_cast<void>(study.plan());
  CHECK(index.refresh());
  const auto grids = read_grids(index, study.store(), study.plan(), {});
  CHECK(grids[0].rows[0].cells[1].failed);
  PictureReader reader(study.store());
  const auto image = draw_grids(grids, reader, {.side = 8});
  for (const auto& [x, y] : {std::pair(0, 0), std::pair(0, 10), std::pair(10, 10)}) {
    CHECK(pixel(image, x, y) == kGreyPixel);
    CHECK(pixel(image, x + 4, y) == Colour{128, 128, 128});
  }
}

TEST_CASE("a grid needs pictures, and a size that fits", "[reports][pictures]") {
  StudyInStore study;
  static_cast<void>(study.run("ti", "cat", 0, "ti"));
  auto index = study.index();
  static_cast<void>(study.plan());
  CHECK(index.refresh());
  PictureReader reader(study.store());
  CHECK_THROWS_WITH(draw_grids(read_grids(index, study.store(), study.plan(), {}), reader),
                    Contains("plans no pictures"));
  const TwoRows rows;
  CHECK_THROWS_WITH(draw_grids(rows.grids(), reader, {.side = 12000}), Contains("--cell"));
}
