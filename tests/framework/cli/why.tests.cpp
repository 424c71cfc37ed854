// `why` and `plan --diff` ask a store, or two plans; nothing is computed.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/image/encode.h"
#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Contains;

namespace {

/// A study that was made with one learning rate, and was then run with another: nothing of that is made.
struct Asked {
  Asked() {
    put(made, pictures_of(made), "aaaaaaaaaaaa", true);
    put(wanted, pictures_of(wanted), "bbbbbbbbbbbb", false);
  }

  static Json training(double rate) {
    return {{"kind", "train"}, {"method", "m"}, {"stage", "ut"}, {"step", 5}, {"options", {{"rate", rate}}}};
  }
  static Json pictures_of(const Json& training) {
    return {{"kind", "sample"}, {"method", "m"}, {"artifact", key_of(training)}, {"prompt", "a <dog>"}};
  }

  void put(const Json& training, const Json& pictures, const char* run, bool publish) {
    Json jobs = Json::array();
    for (const Json& description : {training, pictures}) {
      Json output{{"key", key_of(description)}, {"description", description}};
      description["kind"] == "train" ? output["step"] = 5 : output["prompt_id"] = "ti/edit/0";
      jobs.push_back(
          {{"id", jobs.size()}, {"kind", description["kind"]}, {"runs", {run}}, {"base", "b"}, {"outputs", {output}}});
      if (publish)
        (void)store.publish({key_of(description), description, store.put(description.dump()), Json::object(), {}});
    }
    const Json entry{{"id", run}, {"method", "m"}, {"concept", "dog"}, {"seed", 0}, {"label", "m"}};
    const auto manifest = store.put_manifest({{"study", run}, {"runs", {entry}}, {"jobs", jobs}});
    Spool(store).write({{"type", "manifest"}, {"study", run}, {"manifest", manifest}});
  }

  Outcome ask(std::vector<std::string> words) const {
    words.insert(words.begin(), "why");
    words.insert(words.end(), {"--store", folder / "store"});
    return run_atelier(words);
  }

  TemporaryFolder folder;
  Store store = Store::create_or_open(folder / "store");
  Json made = training(0.5), wanted = training(0.25);
};

}  // namespace

TEST_CASE("why RUN says in words which part of the key changed, also where it changed in an earlier stage",
          "[cli][why]") {
  const Asked asked;
  const Outcome told = asked.ask({"bbbb"});
  CHECK(told.code == 0);
  CHECK_THAT(told.out, Contains("train ut step 5: to be made\n    option rate: 0.5 → 0.25\n") &&
                           Contains("sample (1): to be made\n    option rate: 0.5 → 0.25; in train m/ut step 5"));
  CHECK_THAT(asked.ask({"aaaa"}).out, Contains("train ut step 5, sample (1): in the store"));
  const Json json = parse_json(asked.ask({"bbbb", "--json"}).out, "why");
  CHECK(json.at("stages")[1].at("changes")[0].at("path") == "options.rate");
  CHECK(json.at("stages")[1].at("changes")[0].at("after") == 0.25);
  // a key alone
  const Outcome key = asked.ask({key_of(asked.wanted)});
  CHECK_THAT(key.out, Contains("option rate: 0.5 → 0.25") && !Contains("sample (1)"));
}

TEST_CASE("why KEY and why IMAGE follow what is there to what it was made of", "[cli][why]") {
  const Asked asked;
  const Json pictures = Asked::pictures_of(asked.made);
  const Outcome told = asked.ask({key_of(pictures).substr(0, 10)});
  CHECK(told.code == 0);
  CHECK_THAT(told.out, Contains("pictures of \"a <dog>\"\n  key " + key_of(pictures)) &&
                           Contains("of aaaaaaaaaaaa/aaaaaaaaaaaa") &&
                           Contains("from this\n    train m/ut step 5\n      key " + key_of(asked.made)) &&
                           Contains("options.rate: 0.5"));
  const auto file = asked.folder / "000.png";
  const std::vector<TextChunk> chunks{{"key", key_of(pictures)}};
  write_png(file, make_raster<Image>({4, 4}), chunks);
  CHECK(asked.ask({file}).out == told.out);
  write_png(file, make_raster<Image>({4, 4}));
  CHECK_THAT(asked.ask({file}).err, Contains("no key in the picture"));
}

TEST_CASE("why refuses what it cannot find, with what it takes", "[cli][why]") {
  const Asked asked;
  for (const char* target : {"cccc", "nonsense"}) {
    const Outcome refused = asked.ask({target});
    CHECK(refused.code == 2);
    CHECK_THAT(refused.err, Contains("neither a run nor a key") && Contains("STUDY/ROW/COLUMN"));
  }
}
