#include "framework/plan/prompt_catalog.h"

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/framework/plan/plan_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;

TEST_CASE("every prompt list of the data can be read, and none is empty", "[plan][prompts]") {
  const PromptCatalog catalog(data());
  const auto ids = catalog.ids();
  CHECK(ids.size() > 100);
  for (const auto& id : ids) CHECK_FALSE(catalog.list(id).prompts.empty());
}

TEST_CASE("TextReg's terms draw from the lists of textreg.md 3", "[plan][prompts]") {
  const PromptCatalog catalog(data());
  CHECK(catalog.list("textreg/object_captions").prompts.size() == 27);
  CHECK(catalog.list("textreg/object_class_prior").prompts == std::vector<std::string>{"a photo of a {}"});
  CHECK(catalog.list("textreg/object_edit_prior").prompts.size() == 25);
  const auto& style = catalog.list("textreg/style_captions").prompts;
  CHECK(style.size() == 19);
  CHECK(std::set<std::string>(style.begin(), style.end()).size() == 17);
  CHECK(catalog.list("textreg/style_edit_prior").prompts == style);
  CHECK(catalog.list("textreg/style_class_prior").prompts == std::vector<std::string>{"a photo in the style of {}"});
  CHECK(catalog.list("textreg/live").prompts == catalog.list("dreambooth/evaluation_live").prompts);
  CHECK(catalog.list("textreg/object_edit_prior").prompts == catalog.list("dreambooth/evaluation_object").prompts);
}

TEST_CASE("a list under another name has the same digest, other prompts have another", "[plan][prompts]") {
  const PromptCatalog catalog(data());
  CHECK(catalog.list("textreg/object_captions").digest == catalog.list("textreg/train_object").digest);
  CHECK(catalog.list("ti/imagenet_templates_small").digest == catalog.list("textreg/train_object").digest);
  CHECK(catalog.list("ti/train_object").digest != catalog.list("textreg/train_object").digest);
}

TEST_CASE("an unknown prompt list is refused with the nearest one", "[plan][prompts]") {
  const PromptCatalog catalog(data());
  CHECK_THAT(message([&] { static_cast<void>(catalog.list("textreg/object_caption")); }),
             Contains("did you mean textreg/object_captions?"));
  CHECK_THAT(message([&] { static_cast<void>(catalog.list("../../etc/passwd")); }), Contains("none of this name"));
}

TEST_CASE("a list whose count is wrong is refused", "[plan][prompts]") {
  const PlanWorld world;
  world.write("prompts/x.yaml", "lists:\n  - {name: a, count: 2, prompts: [\"one {}\"]}\n");
  const PromptCatalog catalog(world.path());
  CHECK_THAT(message([&] { static_cast<void>(catalog.list("x/a")); }), Contains("1 prompts; expected 2"));
}

TEST_CASE("the protocols of studies name lists that exist, as many pictures as published, and an encoder for each role",
          "[plan][protocols]") {
  const PromptCatalog catalog(data());
  const std::map<std::string, int> pictures{{"catversion", 4},   {"catversion_masked", 4},
                                            {"cc101", 5},        {"class_drift", 10},
                                            {"core_masked", 32}, {"dco", 4},
                                            {"div", 4},          {"dreambench++", 1},
                                            {"dreambooth", 4},   {"general_drift", 1},
                                            {"pres", 64},        {"textreg", 8},
                                            {"textreg_id", 200}, {"ti_code", 64},
                                            {"ti_paper", 64}};
  std::vector<std::string> ids;
  for (const auto& [id, count] : pictures) ids.push_back(id);
  CHECK(study_protocol_ids(data()) == ids);
  for (const auto& [id, count] : pictures) {
    const auto protocol = read_protocol(id, data());
    CHECK(protocol.pictures.at("images_per_prompt") == count);
    for (const auto& entry : protocol.pictures.at("prompts")) {
      if (entry.contains("set")) continue;  // the list that a concept names
      CHECK_FALSE(catalog.list(entry.at("list").get<std::string>()).prompts.empty());
    }
  }
  for (const auto& id : protocol_ids(data())) {
    const auto protocol = read_protocol(id, data());
    for (const auto& [role, use] : protocol.scoring.at("encoders").items()) CHECK(protocol.encoders.contains(role));
    CHECK(protocol.masks.is_object() == protocol.scoring.value("masked", false));
  }
  CHECK_THAT(message([&] { static_cast<void>(read_protocol("ti_kode", data())); }), Contains("did you mean ti_code?"));
}
