#include "plugins/custom_diffusion/spec.h"

#include <nlohmann/json.hpp>
#include <set>

#include "framework/methods/stage_settings.h"
#include "plugins/custom_diffusion/settings.h"
#include "tests/support/catch_torch.h"

using namespace atelier;
using namespace atelier::custom_diffusion;

namespace {

Settings settings_with(const Json& chosen, const std::string& preset = "") {
  const auto spec = make_spec();
  const Json values = resolve_options(spec, preset, chosen, "test");
  return Settings::read(options_of_stage(spec, kStage, values),
                        {.name = "", .class_word = "cat", .initializer = "", .kind = "object"},
                        {{kFarCaptions, {"a far away {}"}}, {kNearCaptions, {"zoomed in {}"}}});
}

}  // namespace

TEST_CASE("The description is consistent; the default is plain, the published command a preset",
          "[custom_diffusion][spec]") {
  const auto spec = make_spec();
  check_spec(spec);
  const Json plain = resolve_options(spec, "", Json::object(), "test");
  CHECK(plain.at("detach_start_token") == false);
  CHECK(plain.at("with_prior_preservation") == false);
  CHECK(plain.at("prior_loss_weight") == 1.0);
  CHECK(plain.at("initializer_token").is_null());
  CHECK(plain.at("kv.learning_rate") == 1e-5);
  CHECK(plain.at("kv.max_grad_norm") == 1.0);
  const Json published = resolve_options(spec, "diffusers", Json::object(), "test");
  CHECK(published.at("detach_start_token") == true);
  CHECK(published.at("with_prior_preservation") == true);
  CHECK(published.at("initializer_token") == "ktn");
  CHECK(published.at("kv.max_train_steps") == 250);
  CHECK(resolve_options(spec, "faces", Json::object(), "test").at("freeze_model") == "crossattn");
  CHECK_NOTHROW(resolve_options(spec, "pocket", Json::object(), "test"));
}

TEST_CASE("A scaled rate is doubled with prior preservation, as published", "[custom_diffusion][spec]") {
  CHECK(settings_with(Json::object()).learning_rate == 1e-5);
  CHECK(settings_with({{"with_prior_preservation", true}}).learning_rate == 1e-5);
  CHECK(settings_with({{"kv.scale_lr", true}}).learning_rate == Approx(2e-5));
  CHECK(settings_with({{"kv.scale_lr", true}, {"with_prior_preservation", true}}).learning_rate == Approx(4e-5));
  CHECK(settings_with(Json::object(), "diffusers").learning_rate == Approx(4e-5));
}

TEST_CASE("Photos are scaled or squashed, class images cut out", "[custom_diffusion][spec]") {
  const auto data = settings_with({{"with_prior_preservation", true}}).data;
  REQUIRE(data.recipe.scale.has_value());
  CHECK(data.recipe.scale->random);
  REQUIRE(data.class_recipe.has_value());
  CHECK_FALSE(data.class_recipe->scale.has_value());
  CHECK(data.class_recipe->random_crop);
  const auto fixed = settings_with({{"augment", false}, {"hflip", false}}).data;
  CHECK_FALSE(fixed.recipe.scale->random);
  CHECK(fixed.recipe.outcomes({640, 480}) == 1);
  CHECK_FALSE(fixed.class_recipe.has_value());
  CHECK_THROWS(Settings::read(
      options_of_stage(make_spec(), kStage, resolve_options(make_spec(), "", Json::object(), "test")), {}, {}));
}

TEST_CASE("Every published argument is there once, and those that are options name one", "[custom_diffusion][spec]") {
  const auto spec = make_spec();
  std::set<std::string> names;
  for (const auto& argument : spec.arguments) {
    INFO(argument.name);
    CHECK(names.insert(argument.name).second);
    if (argument.status == ArgumentSpec::Status::option) CHECK(find_option(spec, argument.text) != nullptr);
  }
  CHECK(names.size() == 57);
}
