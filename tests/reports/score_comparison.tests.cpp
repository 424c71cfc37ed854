#include "reports/score_comparison.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::reports;
using Catch::Contains;

namespace {

Json image(const std::string& subject, const std::string& prompt, int k, const Json& value) {
  return {{"concept", subject}, {"prompt", prompt}, {"k", k}, {"scores", {{"clip_i", value}}}};
}

class Files {
 public:
  ScoreFile read(const std::string& name, const Json& images, Json more = Json::object()) {
    more["schema"] = "atelier.scores/1";
    more["name"] = name;
    more["images"] = images;
    const auto path = folder_ / (name + ".json");
    write_file_atomically(path, more.dump());
    return read_score_file(path);
  }
  std::string refusal(const std::string& text) {
    const auto path = folder_ / "bad.json";
    write_file_atomically(path, text);
    try {
      (void)read_score_file(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

 private:
  TemporaryFolder folder_;
};

/// One picture a concept with these scores.
Json column(const std::vector<double>& values) {
  Json images = Json::array();
  for (std::size_t i = 0; i < values.size(); ++i) images.push_back(image("c" + std::to_string(i), "p", 0, values[i]));
  return images;
}

}  // namespace

TEST_CASE("a summary is the mean over concepts of means over prompts of means over pictures", "[reports][stats]") {
  Files files;
  // dog: prompts (0.2 + 0.4) / 2 = 0.3 and 0.5, so 0.4; cat: 0.8. The null takes no part.
  const auto file = files.read("ours", {image("dog", "a", 0, 0.2), image("dog", "a", 1, 0.4), image("dog", "b", 0, 0.5),
                                        image("dog", "b", 1, Json()), image("cat", "a", 0, 0.8)});
  const Json summary = summarise({file}, {});
  CHECK(summary["schema"] == "atelier.summary/1");
  CHECK(summary["methods"][0]["name"] == "ours");
  const Json& found = summary["methods"][0]["metrics"]["clip_i"];
  CHECK(found["mean"].get<double>() == Approx(0.6));
  CHECK(found["se"].get<double>() == Approx(0.2));  // sd 0.4 / sqrt(2) of (0.4, 0.8), over sqrt(2)
  CHECK(found["n_concepts"] == 2);
  CHECK(found["n_sets"] == 3);
  CHECK(found["n_images"] == 4);
  CHECK(found["micro"].get<double>() == Approx(1.9 / 4));
}

TEST_CASE("metrics are read from pictures, else sets, else concepts; overall from concepts", "[reports][stats]") {
  Files files;
  const Json more{
      {"sets", Json::array({{{"concept", "dog"}, {"prompt", "a"}, {"scores", {{"clip_i", 9.0}, {"gbar_norm", 0.5}}}}})},
      {"concepts", Json::array({{{"concept", "dog"}, {"scores", {{"overall", 0.7}, {"gbar_norm", 9.0}}}}})}};
  const auto file = files.read("ours", Json::array({image("dog", "a", 0, 0.2)}), more);
  const Json metrics = summarise({file}, {})["methods"][0]["metrics"];
  CHECK(metrics["clip_i"]["mean"] == 0.2);
  CHECK(metrics["gbar_norm"]["mean"] == 0.5);
  CHECK_FALSE(metrics["gbar_norm"].contains("micro"));
  CHECK(metrics["overall"]["mean"] == 0.7);
  CHECK(metrics["overall"]["se"].is_null());
  CHECK_THROWS_WITH(summarise({file}, {"dino_i"}), Contains("clip_i, gbar_norm, overall"));
}

TEST_CASE("the sign-flip test of evaluation.md 11.9 comes out exactly", "[reports][stats]") {
  Files files;
  const auto a = files.read("a", column({0.52, 0.49, 0.55, 0.53, 0.50, 0.54})),
             b = files.read("b", column({.5, .5, .5, .5, .5, .5}));
  const Json result = compare_scores({a, b}, {.margins = {{"clip_i", 0.06}}});
  CHECK(result["family"] == "table");
  const Json& found = result["comparisons"][0];
  CHECK(found["diff"].get<double>() == Approx(0.021667).margin(1e-6));
  CHECK(found["p"] == 0.125);
  CHECK(found["p_method"] == "exact");
  CHECK(found["p_holm"] == 0.125);
  CHECK(found["n_concepts"] == 6);
  CHECK(found["equivalent"] == true);
  const auto low = [&](std::uint64_t seed) {
    return compare_scores({a, b}, {.draws = 20, .seed = seed})["comparisons"][0]["ci_low"].get<double>();
  };
  CHECK(low(1) == low(1));
  CHECK((low(1) != low(2) || low(2) != low(3)));
  CHECK(compare_scores({a, b}, {.margins = {{"clip_i", 0.06}}}) == result);
}

TEST_CASE("all pairs in the files' order, or everyone less the baseline", "[reports][stats]") {
  Files files;
  const auto a = files.read("a", column({0.1, 0.2})), b = files.read("b", column({0.3, 0.3})),
             c = files.read("c", column({0.6, 0.5}));
  const auto names = [](const Json& result) {
    std::string all;
    for (const Json& each : result["comparisons"])
      all += each["a"].get<std::string>() + each["b"].get<std::string>() + " ";
    return all;
  };
  CHECK(names(compare_scores({a, b, c}, {})) == "ab ac bc ");
  const Json against = compare_scores({a, b, c}, {.baseline = "b"});
  CHECK(names(against) == "ab cb ");
  CHECK(against["comparisons"][1]["diff"].get<double>() == Approx(0.25));
  CHECK_THROWS_WITH(compare_scores({a, b}, {.baseline = "x"}), Contains("one of a, b"));
  CHECK_THROWS_WITH(compare_scores({a}, {}), Contains("at least two"));
  CHECK_THROWS_WITH(compare_scores({a, a}, {}), Contains("a name of its own"));
}

TEST_CASE("files with other cells are compared on what both have, when asked", "[reports][stats]") {
  Files files;
  const auto a = files.read("a", column({0.1, 0.2, 0.9})), b = files.read("b", column({0.3, 0.3}));
  CHECK_THROWS_WITH(compare_scores({a, b}, {}), Contains("(c2, p)") && Contains("--common"));
  const Json found = compare_scores({a, b}, {.common = true})["comparisons"][0];
  CHECK(found["n_concepts"] == 2);
  CHECK(found["mean_a"].get<double>() == Approx(0.15));
}

TEST_CASE("a file of scores that is none is refused with file and key", "[reports][stats]") {
  Files files;
  CHECK_THAT(files.refusal("[]"), Contains("bad.json"));
  CHECK_THAT(files.refusal(R"({"schema": "x", "images": []})"), Contains("\"name\""));
  CHECK_THAT(
      files.refusal(
          R"({"schema": "x", "name": "n", "images": [{"concept": "c", "prompt": "p", "k": 0, "scores": {"clip_i": "high"}}]})"),
      Contains("images[0].scores.clip_i"));
  const std::string row = R"({"concept": "c", "prompt": "p", "k": 0, "scores": {}})";
  CHECK_THAT(files.refusal(R"({"schema": "x", "name": "n", "images": [)" + row + "," + row + "]}"),
             Contains("a second time"));
}
