// What is done once more: a sample of finished jobs, and what failed.
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/store/store.h"
#include "tests/study/study_place.h"

using Catch::Contains;
using nlohmann::json;

namespace {

std::string one_method(const std::string& initializer) {
  const std::string base = ATELIER_SOURCE_DIR "/experiments/demo/base";
  return "  textual_inversion: {base: " + base + ", options: {resolution: 32, initializer_token: " + initializer +
         ", embedding: {max_train_steps: 2, train_batch_size: 1}}}";
}

Outcome ask(const StudyPlace& place, std::vector<std::string> words) {
  words.insert(words.end(), {"--store", place.store()});
  return run_atelier(words);
}

/// Another text of the same scores under the key of the first scoring.
std::string falsify_scores(const StudyPlace& place) {
  const auto store = atelier::Store::open(place.store());
  for (const auto& [key, object] : place.published()) {
    auto record = *store.find(key);
    if (record.description.at("kind") != "score") continue;
    record.object = store.put(atelier::read_text_file(store.object_path(object)) + " ");
    std::filesystem::remove(store.root() / "keys" / (key + ".json"));
    REQUIRE(store.publish(record));
    return key;
  }
  return "";
}

}  // namespace

TEST_CASE("Jobs that are done once more give the same bytes; where they do not, both are kept and marked", "[study]") {
  const StudyPlace place(one_method("man"));
  REQUIRE(place.run().status == 0);
  const auto published = place.published();
  const auto some = ask(place, {"verify", "--sample", "2%"});
  INFO(some.err);
  CHECK(some.status == 0);
  CHECK_THAT(some.out, Contains("1 of 7 jobs done again: 0 keys gave other bytes, 0 jobs failed"));
  CHECK(place.published() == published);

  const auto key = falsify_scores(place);
  const auto told = ask(place, {"verify", "--sample", "1"});
  CHECK(told.status == 1);
  CHECK_THAT(told.out, Contains("key " + key + ": other bytes than before") && Contains("1 keys gave other bytes"));
  const auto record = atelier::Store::open(place.store()).find(key);
  CHECK(record->divergent == std::vector<std::string>{published.at(key)});
  CHECK_THAT(place.ask("table").out, Contains("‡"));
  CHECK(ask(place, {"verify", "--sample", "0"}).status == 2);
}

TEST_CASE("What `keep: until_scored` removed is made again, to the bit, when another protocol needs it", "[study]") {
  const StudyPlace place(one_method("man"), "keep: until_scored\n");
  const auto first = place.run();
  REQUIRE(first.status == 0);
  CHECK_THAT(first.out, Contains("keep until_scored: ") && Contains("were removed"));
  const auto published = place.published();
  const auto store = atelier::Store::open(place.store());
  std::map<std::string, bool> held;  // by kind
  for (const auto& [key, object] : published)
    held[store.find(key)->description.at("kind").get<std::string>()] |= store.has_object(object);
  CHECK(held == std::map<std::string, bool>{{"sample", false}, {"score", true}, {"train", false}});
  CHECK(ask(place, {"verify"}).status == 0);
  CHECK_THAT(place.run().out, Contains("nothing to do"));

  // The same pictures under other settings, which stay this time.
  const std::vector<std::string> more{
      "--set",
      "evaluate=[{protocol: ti_code, images: 2}, {name: again, protocol: ti_code, images: 2, text_rule: verbatim}]",
      "--set", "keep=all"};
  REQUIRE(place.run(more).status == 0);
  const auto later = place.published();
  for (const auto& [key, object] : published) {
    CHECK(later.at(key) == object);
    CHECK(store.find(key)->divergent.empty());
    CHECK(store.has_object(object));
    CHECK_FALSE(store.released(key));
  }
  CHECK(ask(place, {"verify"}).status == 0);
}

TEST_CASE("What the configuration failed at is told by each call, and tried again where that is asked for", "[study]") {
  const StudyPlace place(one_method("'a b'"));
  const auto first = place.run();
  CHECK(first.status == 1);
  CHECK_THAT(first.err,
             Contains("failed (configuration): correct what the study asks for") && Contains("more: atelier logs "));
  const auto second = place.run();
  CHECK(second.status == 1);
  CHECK_THAT(second.out, Contains("0 jobs done") && Contains("1 failed before and were not tried"));
  CHECK_THAT(second.err, Contains("failed (configuration)"));
  const auto third = place.run({"--retry", "failed"});
  CHECK(third.status == 1);
  CHECK_THAT(third.out, Contains("1 failed") && !Contains("failed before"));
  const auto status = json::parse(place.ask("status", {"--json"}).out);
  REQUIRE(status["causes"].size() == 1);
  CHECK(status["causes"][0]["class"] == "configuration");
  CHECK(status["causes"][0]["more"] == "atelier logs " + status["causes"][0]["example"].get<std::string>());
  CHECK(status["live"].empty());
  // Its training and pictures; scores were measured with the anchors.
  CHECK(status["left"]["unmeasured_jobs"] == 2);
}
