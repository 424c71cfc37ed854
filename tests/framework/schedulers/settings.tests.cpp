// The planner links no LibTorch and has a table of its own: it says what the schedulers say.
#include "framework/plan/sampler_settings.h"

#include <set>
#include <sstream>

#include "framework/core/error.h"
#include "tests/framework/schedulers/walk.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

using Names = std::set<std::string>;

/// All keys that a scheduler reads, as it answers an unknown one.
Names keys_of(const std::string& scheduler) {
  try {
    static_cast<void>(make_scheduler(scheduler, stable_diffusion_config(), {{"no such key", 1}}));
  } catch (const Error& error) {
    Names names;
    std::istringstream words(error.fault().expected);
    for (std::string word; words >> word;) names.insert(word.ends_with(',') ? word.substr(0, word.size() - 1) : word);
    return names;
  }
  return {};
}

Names left_out(const std::string& scheduler) {
  Names names{"trained_betas",          "thresholding",    "use_lu_lambdas",
              "use_exponential_sigmas", "use_beta_sigmas", "use_dynamic_shifting",
              "interpolation_type",     "timestep_type",   "use_flow_sigmas"};
  if (scheduler == "lcm") names.merge(Names{"set_alpha_to_one", "steps_offset", "timestep_spacing"});
  return names;
}

std::vector<Json> values_of(const OptionSpec& option) {
  if (option.type == OptionType::boolean) return {true, false};
  if (option.type == OptionType::choice) return {option.choices.begin(), option.choices.end()};
  return {option.value};
}

}  // namespace

TEST_CASE("The planner names the same schedulers", "[schedulers][plan]") {
  const auto names = scheduler_names();
  CHECK(Names(names.begin(), names.end()) == Names(sampler_schedulers().begin(), sampler_schedulers().end()));
}

TEST_CASE("What the planner lets a study set, the scheduler takes, with every such value", "[schedulers][plan]") {
  for (const auto& scheduler : sampler_schedulers()) {
    const auto keys = keys_of(scheduler);
    auto told = left_out(scheduler);
    for (const auto& option : sampler_settings(scheduler)) {
      CAPTURE(scheduler, option.name);
      CHECK(keys.contains(option.name));
      CHECK(told.insert(option.name).second);
      for (const auto& value : values_of(option)) {
        CAPTURE(value.dump());
        CHECK(check_value(option, value, "") == value);
        CHECK_NOTHROW(make_scheduler(scheduler, stable_diffusion_config(), {{option.name, value}}));
      }
    }
    for (const auto& key : keys) {
      CAPTURE(scheduler, key);
      CHECK(told.contains(key));  // a new key: into the table, or among what is left out
    }
  }
}
