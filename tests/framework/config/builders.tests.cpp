#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/config/argument_tables.h"
#include "framework/config/option_builders.h"
#include "framework/core/error.h"

using namespace atelier;

TEST_CASE("makers of options give what their names say", "[config][builders]") {
  const auto number = integer_option("n", 3, {.low = 1, .high = 9}, "a number", "ours");
  CHECK(check_value(number, 9, "test") == 9);
  CHECK_THROWS_AS(check_value(number, 10, "test"), Error);
  CHECK(real_option("r", nullptr, {.low = 0.0}, "a rate", "ours").value.is_null());
  CHECK_THROWS_AS(check_value(choice_option("c", "a", {"a", "b"}, "one", "ours"), "d", "test"), Error);
  const auto two = only_when(with_prior(), std::vector<OptionSpec>{number, flag_option("f", true, "a flag", "ours")});
  for (const auto& option : two) {
    REQUIRE(option.active_when.size() == 1);
    CHECK(option.active_when[0].option == "with_prior_preservation");
  }
  CHECK(names_of(joined({two, prior_options("ours")})) ==
        std::vector<std::string>{"n", "f", "with_prior_preservation", "prior_loss_weight"});
  CHECK(gradient_checkpointing_option("ours").memory_only);
  CHECK_FALSE(resolution_option(512, "ours").memory_only);
}

TEST_CASE("arguments of published programs: options of their names, and common answers", "[config][builders]") {
  const auto table = joined({same_named("lora.", {"learning_rate"}), same_named("", {"rank"}),
                             common_arguments({"seed", "use_8bit_adam", "push_to_hub"})});
  REQUIRE(table.size() == 5);
  CHECK(table[0].name == "--learning_rate");
  CHECK(table[0].text == "lora.learning_rate");
  CHECK(table[1].text == "rank");
  CHECK(table[2].status == ArgumentSpec::Status::framework);
  CHECK(table[3].status == ArgumentSpec::Status::refused);
  CHECK(table[4].status == ArgumentSpec::Status::without_effect);
  CHECK_THROWS_WITH(common_arguments({"seed", "sed"}), Catch::Contains("--sed"));
}
