// Another program's pictures in a study: `images:` of a method.
#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/study/study_place.h"

namespace fs = std::filesystem;
using atelier::Json;

namespace {

const std::string kMethod = R"(  other: {images: "other/{concept}/{prompt}/{k:02}.png"})";

std::string prompt_id(int n) {
  return n == 0 ? "ti/evaluation_reconstruction/0" : fmt::format("ti/evaluation_editability_examples/{}", n - 1);
}

fs::path picture(const StudyPlace& place, int n, int k) {
  return fs::path(place.folder() / "other") / "cat2" / prompt_id(n) / fmt::format("{:02}.png", k);
}

/// The pictures that tests/eval/make_references.py scored with transformers and Pillow.
void write_pictures(const StudyPlace& place) {
  const fs::path scored = ATELIER_SOURCE_DIR "/tests/eval/pictures/generated/cat2";
  const std::array names{"photo", "moon", "oil", "photo"};
  for (int n = 0; n < 4; ++n) {
    for (int k = 0; k < 2; ++k) {
      const auto file = picture(place, n, k);
      fs::create_directories(file.parent_path());
      fs::copy_file(scored / names[static_cast<std::size_t>(n)] / fmt::format("{:03}.png", k), file);
    }
  }
}

/// Mean of `metric` over the first two pictures of a prompt, by the independent program.
double expected(const std::string& prompt, const std::string& metric) {
  const Json all = atelier::read_json_file(ATELIER_SOURCE_DIR "/tests/eval/references/expected.json");
  double sum = 0.0;
  for (const Json& image : all.at("ti_code").at("images")) {
    if (image.at("concept") != "cat2" || image.at("prompt") != prompt || image.at("k") >= 2) continue;
    sum += image.at("scores").at(metric).get<double>();
  }
  return sum / 2.0;
}

Json row_of(const Json& table, const std::string& label) {
  for (const Json& row : table.at("rows")) {
    if (row.at("label") == label) return row;
  }
  FAIL("no row " << label << " in " << table.dump(1));
  return {};
}

}  // namespace

TEST_CASE("A study scores another program's pictures as an independent program does", "[study][given]") {
  const StudyPlace place(kMethod);
  const auto refused = place.run();
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("study.yaml:4:3: other: 8 of 8 pictures of cat2 are not there"));
  CHECK_THAT(refused.err, Catch::Contains("cat2/ti/evaluation_reconstruction/0/00.png, of \"A photo of man\""));
  CHECK_FALSE(fs::exists(place.store() + "/manifests"));

  write_pictures(place);
  CHECK_THAT(place.command("plan").out, Catch::Contains("to take into the store: 8 pictures of other programs"));
  const auto done = place.run();
  INFO(done.out << done.err);
  REQUIRE(done.status == 0);

  const auto table = Json::parse(place.ask("table", {"--as", "json", "--columns", "ti_code.reconstruction"}).out);
  INFO(table.dump(1));
  CHECK(row_of(table, "other").at("cells").at("ti_code.reconstruction").at("mean").get<double>() ==
        Approx(expected("photo", "clip_i")).epsilon(1e-5));
  CHECK_THAT(place.ask("table").out, Catch::Contains("Pictures of other programs: other."));

  // Nothing is taken or scored twice; the pictures are the store's own now.
  CHECK_THAT(place.command("plan").out, Catch::Contains("0 scoring jobs"));
  CHECK_THAT(place.ask("export", {"--images", "--out", place.folder() / "again"}).out, Catch::Contains("8"));
}

TEST_CASE("A changed picture is another picture: its prompt is taken and the run scored again", "[study][given]") {
  const StudyPlace place(kMethod);
  write_pictures(place);
  REQUIRE(place.run().status == 0);
  const auto before = place.published();
  fs::copy_file(picture(place, 1, 0), picture(place, 0, 0), fs::copy_options::overwrite_existing);
  CHECK_THAT(place.command("plan").out, Catch::Contains("to take into the store: 2 pictures"));
  REQUIRE(place.run().status == 0);
  const auto after = place.published();
  CHECK(after.size() == before.size() + 2);  // the prompt's set, the score
  for (const auto& [key, object] : before) CHECK(after.at(key) == object);
}

TEST_CASE("A path of pictures that does not name what it must is a fault of the study", "[study][given]") {
  const auto fault = [](const std::string& path) {
    const auto done = StudyPlace(fmt::format("  other: {{images: \"{}\"}}", path)).command("plan");
    CHECK(done.status == 2);
    return done.err;
  };
  CHECK_THAT(fault("{concept}/{k}.png"), Catch::Contains("methods.other.images: no {prompt}"));
  CHECK_THAT(fault("{concept}/{prompt}/{step}/{k}.png"), Catch::Contains("{step}; expected one of {concept}"));
  CHECK_THAT(fault("{concept}/{prompt}/{k:3}.png"), Catch::Contains("{k:3}; expected a width as in {k:03}"));
  CHECK_THAT(fault("{concept}/{prompt:03}/{k}.png"), Catch::Contains("a width for numbers alone"));
  CHECK_THAT(fault("{concept}/{prompt}/{k}.png}"), Catch::Contains("a brace without its other half"));
}
