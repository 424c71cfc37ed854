#include "framework/core/text.h"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

TEST_CASE("nearest names the likely intention and stays silent when nothing is near", "[core][text]") {
  const std::vector<std::string> known = {"learning_rate", "train_batch_size", "rank"};
  CHECK(nearest("learning_rat", known) == "learning_rate");
  CHECK(nearest("lerning_rate", known) == "learning_rate");
  CHECK(nearest("prompt", known).empty());
}

TEST_CASE("join cuts long lists and says how many are left", "[core][text]") {
  const std::vector<std::string> items = {"a", "b", "c"};
  CHECK(join(items) == "a, b, c");
  CHECK(join(items, ", ", 2) == "a, b, … and 1 more");
}

TEST_CASE("an error is one line with its four parts", "[core][error]") {
  const Error error({.where = "x.json", .found = "a\nb", .expected = "c", .advice = "do d"}, ErrorKind::usage);
  CHECK(std::string(error.what()) == "x.json: a b; expected c; do d");
  CHECK(error.exit_code() == 2);
}

TEST_CASE("JSON of any origin: duplicates, depth and trailing text are refused", "[core][json]") {
  CHECK(parse_json(R"({"a": [1, 2.5, "x"]})", "t").at("a").size() == 3);
  CHECK_THROWS_WITH(parse_json(R"({"a": 1, "a": 2})", "t"), Catch::Contains("\"a\" twice"));
  CHECK_THROWS_WITH(parse_json(std::string(200, '[') + std::string(200, ']'), "t"), Catch::Contains("128"));
  CHECK_THROWS_WITH(parse_json("{} x", "t"), Catch::Contains("not JSON at byte 4"));
  CHECK_THROWS_WITH(parse_json("{\"a\": NaN}", "t"), Catch::Contains("not JSON"));
  CHECK_THROWS_WITH(parse_json("\xff", "t"), Catch::Contains("not JSON"));
}

TEST_CASE("configs that Python wrote may hold bare infinities", "[core][json]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "c.json",
                        R"({"a": -Infinity, "b": [NaN, Infinity], "c": "NaN \"-Infinity\"", "d": 1})");
  const Json json = read_python_json_file(folder / "c.json");
  CHECK(json.at("a") == "-Infinity");
  CHECK(json.at("b") == Json::array({"NaN", "Infinity"}));
  CHECK(json.at("c") == "NaN \"-Infinity\"");
  CHECK(json.at("d") == 1);
  CHECK_THROWS_WITH(read_json_file(folder / "c.json"), Catch::Contains("not JSON"));
}
