#include "plugins/dreambooth_lora/spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/config/method_spec.h"
#include "framework/methods/stage_settings.h"
#include "plugins/dreambooth_lora/settings.h"
#include "tests/support/catch_torch.h"

using namespace atelier;
using namespace atelier::dreambooth_lora;

TEST_CASE("The description is consistent and its defaults are the published command's", "[dreambooth_lora][spec]") {
  const auto spec = make_spec();
  check_spec(spec);
  const Json values = resolve_options(spec, "", Json::object(), "test");
  CHECK(values.at("rank") == 4);
  CHECK(values.at("with_prior_preservation") == false);
  CHECK(values.at("prior_loss_weight") == 1.0);
  CHECK(values.at("lora.learning_rate") == 1e-4);
  CHECK(values.at("lora.max_grad_norm") == 1.0);
  CHECK(values.at("lora.max_train_steps") == 500);
  CHECK(values.at("lora.train_batch_size") == 1);
  const Json sdxl = resolve_options(spec, "sdxl", {{"train_text_encoder", true}}, "test");
  CHECK(sdxl.at("lora.text_encoder_lr") == 5e-6);
  CHECK(sdxl.at("lora.adam_weight_decay_text_encoder") == 1e-3);
  CHECK(sdxl.at("lora.gradient_accumulation_steps") == 4);
  CHECK_NOTHROW(resolve_options(spec, "pocket", Json::object(), "test"));
}

TEST_CASE("Every published argument is there once, and those that are options name one", "[dreambooth_lora][spec]") {
  const auto spec = make_spec();
  std::set<std::string> names;
  for (const auto& argument : spec.arguments) {
    INFO(argument.name);
    CHECK(names.insert(argument.name).second);
    if (argument.status == ArgumentSpec::Status::option) CHECK(find_option(spec, argument.text) != nullptr);
  }
  // The two programs' arguments together.
  CHECK(names.size() == 78);
}

TEST_CASE("Options of what is switched off are refused and not read", "[dreambooth_lora][spec]") {
  const auto spec = make_spec();
  CHECK_THROWS(resolve_options(spec, "", {{"lora.text_encoder_lr", 1e-5}}, "test"));
  CHECK_THROWS(resolve_options(spec, "", {{"prior_loss_weight", 0.5}}, "test"));
  CHECK_THROWS(resolve_options(spec, "", {{"initializer_token", "cat"}}, "test"));
  const auto reads = [&](const Json& chosen) {
    const auto list = stage_reads(spec.stages.front(), resolve_options(spec, "", chosen, "test"));
    return std::set<std::string>(list.begin(), list.end());
  };
  CHECK_FALSE(reads(Json::object()).contains("prior_loss_weight"));
  CHECK(reads({{"with_prior_preservation", true}}).contains("prior_loss_weight"));
  CHECK_FALSE(reads({{"with_prior_preservation", true}}).contains("num_class_images"));
  CHECK(reads({{"learn_token", true}}).contains("initializer_token"));
}

TEST_CASE("What SDXL is told of photos enters a key only where it is their own size", "[dreambooth_lora][spec]") {
  const auto spec = make_spec();
  const auto enters = [&](const std::string& preset, const Json& chosen) {
    const auto values = resolve_options(spec, preset, chosen, "test");
    const auto names = stage_key_options(spec, spec.stages.front(), values);
    const bool told = Settings::read(options_of_stage(spec, kStage, values), {}).data.tells_photos;
    CHECK(told == (std::ranges::count(names, "micro_conditioning") == 1));
    return told;
  };
  CHECK_FALSE(enters("", Json::object()));
  CHECK(enters("", {{"micro_conditioning", "photo"}}));
  CHECK(enters("sdxl", Json::object()));
  CHECK_FALSE(enters("sdxl", {{"micro_conditioning", "square"}}));
}
