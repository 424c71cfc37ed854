#include "framework/plan/keys.h"

#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/store/store.h"

using namespace atelier;

namespace {

const StageSpec& stage() {
  static const StageSpec spec = [] {
    StageSpec made;
    made.name = "ut";
    return made;
  }();
  return spec;
}

TrainIngredients training() {
  TrainIngredients in;
  in.method = "textreg";
  in.stage = &stage();
  in.ordinal = 1;
  in.options = {{"lora_rank", 5}, {"ut.learning_rate", 1e-4}};
  in.inputs = {{"ti", std::string(64, 'a')}};
  in.subject = {{"class_word", "cat"}, {"initializer", ""}, {"kind", "live"}};
  in.photos = {{{"sha256", std::string(64, 'b')}, {"caption", ""}, {"base_caption", ""}}};
  in.lists = {{"textreg/train_object", std::string(64, 'c')}};
  in.base = std::string(64, 'd');
  in.numerics_class = {{"device", "cpu"}, {"dtype", "float32"}, {"threads", 2}, {"torch", "2.11"}};
  return in;
}

SampleIngredients sampling() {
  SampleIngredients in;
  in.method = "textreg";
  in.plugin_numerics = 1;
  in.artifact = std::string(64, 'e');
  in.options = {{"placeholder_token", "<krk1>"}};
  in.base = std::string(64, 'd');
  in.sampler = {{"scheduler", "ddim"}, {"steps", 50}, {"guidance", 5.0}, {"settings", Json::object()}};
  in.numerics_class = {{"device", "cpu"}, {"dtype", "float32"}, {"threads", 2}, {"torch", "2.11"}};
  return in;
}

SamplePrompt prompt() {
  return {"ti/evaluation_reconstruction/0", "A photo of {}", "A photo of <krk1> cat", "A photo of cat", {1, 2}};
}

}  // namespace

TEST_CASE("a change of any ingredient of training changes the key", "[plan][keys]") {
  StageSpec other = stage(), raised = stage();
  other.name = "ti";
  raised.numerics = 2;
  const std::vector<std::function<void(TrainIngredients&)>> changes = {
      [](auto& in) { in.method = "dco"; },
      [&](auto& in) { in.stage = &other; },
      [&](auto& in) { in.stage = &raised; },
      [](auto& in) { in.ordinal = 0; },
      [](auto& in) { in.options["lora_rank"] = 6; },
      [](auto& in) { in.options["ut.learning_rate"] = 1.0000001e-4; },
      [](auto& in) { in.inputs["ti"] = std::string(64, 'f'); },
      [](auto& in) { in.subject["class_word"] = "dog"; },
      [](auto& in) { in.subject["initializer"] = "dog"; },
      [](auto& in) { in.photos[0]["sha256"] = std::string(64, 'f'); },
      [](auto& in) { in.photos[0]["caption"] = "a {}"; },
      [](auto& in) { in.photos.push_back(in.photos[0]); },
      [](auto& in) { in.lists["textreg/train_object"] = std::string(64, 'f'); },
      [](auto& in) { in.base = std::string(64, 'f'); },
      [](auto& in) { in.numerics_class["threads"] = 1; },
      [](auto& in) { in.numerics_class["torch"] = "2.12"; },
      [](auto& in) { in.seed = 1; },
      [](auto& in) { in.total_steps = 500; }};
  std::set<std::string> keys = {key_of(train_description(training(), 500)), key_of(train_description(training(), 501))};
  for (const auto& change : changes) {
    auto in = training();
    change(in);
    keys.insert(key_of(train_description(in, 500)));
  }
  CHECK(keys.size() == changes.size() + 2);
}

TEST_CASE("a change of any ingredient of sampling changes the key, the id of the prompt does not", "[plan][keys]") {
  const std::vector<std::function<void(SampleIngredients&, SamplePrompt&)>> changes = {
      [](auto& in, auto&) { in.method = "dco"; },
      [](auto& in, auto&) { in.plugin_numerics = 2; },
      [](auto& in, auto&) { in.artifact = nullptr; },
      [](auto& in, auto&) { in.options["placeholder_token"] = "<x>"; },
      [](auto& in, auto&) { in.base = std::string(64, 'f'); },
      [](auto& in, auto&) { in.negative = "blurry"; },
      [](auto& in, auto&) { in.sampler["steps"] = 51; },
      [](auto& in, auto&) { in.size = 64; },
      [](auto& in, auto&) { in.batch = 4; },
      [](auto& in, auto&) { in.numerics_class["device"] = "cuda"; },
      [](auto&, auto& p) { p.filled = "A photo of <krk1> dog"; },
      [](auto&, auto& p) { p.base = "A photo of dog"; },
      [](auto&, auto& p) {
        p.seeds = {1, 3};
      },
      [](auto&, auto& p) { p.seeds = {1}; }};
  const auto plain = key_of(sample_description(sampling(), prompt()));
  std::set<std::string> keys = {plain};
  for (const auto& change : changes) {
    auto in = sampling();
    auto text = prompt();
    change(in, text);
    keys.insert(key_of(sample_description(in, text)));
  }
  CHECK(keys.size() == changes.size() + 1);
  auto renamed = prompt();
  renamed.id = "mine/photo/3";
  CHECK(key_of(sample_description(sampling(), renamed)) == plain);
}

// Made by Python's hashlib over json.dumps(description, sort_keys=True, separators=(",", ":")).
TEST_CASE("keys stay what they were", "[plan][keys]") {
  CHECK(key_of(train_description(training(), 500)) ==
        "945745f0dae79db640b0d282f910ce5ff272dd6d361643c461fb446c2d64c69d");
  CHECK(key_of(sample_description(sampling(), prompt())) ==
        "ba193dfee8388ae120085cdc27e959e342ed85773561dfc06773ab70046661c1");
}

TEST_CASE("the seed of a picture depends on sample seed, template and place, and fits 31 bits", "[plan][keys]") {
  // python3: int.from_bytes(hashlib.sha256(b"atelier.sample/1\0" b"0\0" b"A photo of {}\0" b"0").digest()[:8], "big")
  // >> 33
  CHECK(picture_seed(0, "A photo of {}", 0) == 954714756);
  CHECK(picture_seed(7, "An oil painting of {}", 63) == 1201575529);
  std::set<std::int64_t> seeds;
  for (std::int64_t k = 0; k < 1000; ++k) {
    const auto seed = picture_seed(0, "A photo of {}", k);
    CHECK((seed >= 0 && seed < (std::int64_t{1} << 31)));
    seeds.insert(seed);
  }
  CHECK(seeds.size() == 1000);
}

TEST_CASE("templates are filled, a deleted placeholder leaves one blank", "[plan][keys]") {
  CHECK(filled("A photo of {} on the moon", "<v> cat") == "A photo of <v> cat on the moon");
  CHECK(filled("A photo of {} on the moon", "") == "A photo of on the moon");
  CHECK(filled("A photo of {}", "") == "A photo of");
  CHECK(filled("{} and {}", "{}") == "{} and {}");
  CHECK(phrase_of("{placeholder} {class}", {{"placeholder_token", "<v>"}}, "cat") == "<v> cat");
  CHECK(phrase_of("{caption} of {class}", {{"caption", "toy"}, {"placeholder_token", "<v>"}}, "cat") == "toy of cat");
}

TEST_CASE("a difference names the path and both values", "[plan][keys]") {
  auto changed = training();
  changed.options["lora_rank"] = 8;
  changed.total_steps = 100;
  const auto difference = explain_difference(train_description(training(), 500), train_description(changed, 500));
  CHECK(difference == Json::parse(R"([{"path": "options.lora_rank", "a": 5, "b": 8},
                                      {"path": "total_steps", "a": null, "b": 100}])"));
  CHECK(explain_difference(changed.photos, changed.photos).empty());
}
