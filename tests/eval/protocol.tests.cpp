#include "eval/protocol.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;
using namespace atelier::eval;
using Catch::Contains;

Json settings() {
  return {{"id", "x"},
          {"text_rule", "class"},
          {"encoders", {{"dino", {{"front_end", "dino-orig"}, {"scores", {"image"}}}}}}};
}

}  // namespace

TEST_CASE("The placeholder is deleted or filled, and blanks are tidied", "[eval][protocol]") {
  CHECK(scoring_text(TextRule::drop, "A photo of {} on the moon", "dog") == "A photo of on the moon");
  CHECK(scoring_text(TextRule::drop, "{} ", "dog").empty());
  CHECK(scoring_text(TextRule::class_word, "a {} and a  {}\n", "dog") == "a dog and a dog");
  CHECK(scoring_text(TextRule::edit, " on the moon", "dog") == "on the moon");
  CHECK(scoring_text(TextRule::class_word, "{}", "{}") == "{}");  // ends
}

TEST_CASE("Applying the text rule twice changes nothing", "[eval][protocol]") {
  const std::string once = scoring_text(TextRule::drop, "An oil painting of  {}", "");
  CHECK(scoring_text(TextRule::drop, once, "") == once);
}

TEST_CASE("A protocol is read from data", "[eval][protocol]") {
  const Protocol protocol = Protocol::from_json(settings(), "p");
  CHECK(protocol.text_rule == TextRule::class_word);
  CHECK(protocol.encoders.at("dino").front_end == FrontEnd::dino_orig);
  CHECK(protocol.encoders.at("dino").image);
  CHECK_FALSE(protocol.encoders.at("dino").text);
  CHECK(protocol.size_from_generated);
}

TEST_CASE("A wrong protocol names the key", "[eval][protocol]") {
  Json json = settings();
  SECTION("unknown key") {
    json["text_ruler"] = "drop";
    CHECK_THROWS_WITH(Protocol::from_json(json, "p"), Contains("p: text_ruler") && Contains("did you mean text_rule?"));
  }
  SECTION("unknown rule") {
    json["text_rule"] = "shout";
    CHECK_THROWS_WITH(Protocol::from_json(json, "p"), Contains("p: text_rule: shout"));
  }
  SECTION("unknown front end") {
    json["encoders"]["dino"]["front_end"] = "clip-hff";
    CHECK_THROWS_WITH(Protocol::from_json(json, "p"), Contains("front_end"));
  }
  SECTION("no encoders") {
    json["encoders"] = Json::object();
    CHECK_THROWS_WITH(Protocol::from_json(json, "p"), Contains("at least one encoder"));
  }
  SECTION("batch of nothing") {
    json["batch"] = 0;
    CHECK_THROWS_WITH(Protocol::from_json(json, "p"), Contains("p: batch: 0"));
  }
}
