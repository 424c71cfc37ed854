// Two commands at one store, their studies overlapping.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "tests/study/store_facts.h"
#include "tests/study/study_place.h"

namespace {

/// The place's study under another name, with one method alone and a further seed.
std::string write_other_study(const StudyPlace& place) {
  std::ifstream file(place.study());
  std::stringstream text;
  text << file.rdbuf();
  std::string other = text.str();
  other.replace(other.find("study: small"), 12, "study: other");
  const auto first = other.find("  textreg:");
  other.erase(first, other.find("sampler:") - first);
  const std::string path = place.folder() / "other.yaml";
  std::ofstream(path) << other << "sweep: [{grid: {seed: [0, 1]}}]\n";
  return path;
}

}  // namespace

TEST_CASE("Two commands at one store do no stage twice, and both studies end complete", "[study][concurrent]") {
  const StudyPlace place(both_methods("1e-2")), alone(both_methods("1e-2"));
  const std::string other = write_other_study(place);
  const auto outcomes =
      run_atelier({{"run", place.study(), "--store", place.store()}, {"run", other, "--store", place.store()}});
  for (const auto& outcome : outcomes) {
    INFO(outcome.err << outcome.out);
    CHECK(outcome.status == 0);
  }

  // What both asked for was done by one of them, at the first attempt.
  const StoreFacts facts(place.store());
  const auto published = place.published();
  REQUIRE_FALSE(published.empty());
  for (const auto& [key, object] : published) {
    INFO(key);
    CHECK(facts.attempts(key) == 1);
    CHECK(facts.publications(key) == 1);
  }
  CHECK(facts.divergences() == 0);

  // Nothing is left to do for either, and neither changed the other's results.
  for (const std::string& study : {place.study(), other}) {
    const auto again = run_atelier({"run", study, "--store", place.store()});
    CHECK(again.status == 0);
    CHECK_THAT(again.out, Catch::Contains("nothing to do"));
  }
  REQUIRE(alone.run().status == 0);
  for (const auto& [key, object] : alone.published()) CHECK(published.at(key) == object);
  CHECK(place.ask("table", {"--as", "csv"}).out == alone.ask("table", {"--as", "csv"}).out);
}
