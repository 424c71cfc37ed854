#include "framework/config/option_builders.h"

#include <nlohmann/json.hpp>

namespace atelier {
namespace {

OptionSpec make(std::string name, OptionType type, Json value, std::string help, std::string source) {
  OptionSpec option;
  option.name = std::move(name);
  option.type = type;
  option.value = std::move(value);
  option.help = std::move(help);
  option.source = std::move(source);
  return option;
}

OptionSpec limited(OptionSpec option, const Limits& limits) {
  option.low = limits.low;
  option.high = limits.high;
  return option;
}

}  // namespace

OptionSpec text_option(std::string name, Json value, std::string help, std::string source) {
  return make(std::move(name), OptionType::text, std::move(value), std::move(help), std::move(source));
}

OptionSpec flag_option(std::string name, bool value, std::string help, std::string source) {
  return make(std::move(name), OptionType::boolean, value, std::move(help), std::move(source));
}

OptionSpec choice_option(std::string name, std::string value, std::vector<std::string> choices, std::string help,
                         std::string source) {
  auto option = make(std::move(name), OptionType::choice, std::move(value), std::move(help), std::move(source));
  option.choices = std::move(choices);
  return option;
}

OptionSpec integer_option(std::string name, Json value, Limits limits, std::string help, std::string source) {
  return limited(make(std::move(name), OptionType::integer, std::move(value), std::move(help), std::move(source)),
                 limits);
}

OptionSpec real_option(std::string name, Json value, Limits limits, std::string help, std::string source) {
  return limited(make(std::move(name), OptionType::real, std::move(value), std::move(help), std::move(source)), limits);
}

OptionSpec only_when(const Condition& condition, OptionSpec option) {
  option.active_when = {condition};
  return option;
}

std::vector<OptionSpec> only_when(const Condition& condition, std::vector<OptionSpec> options) {
  for (auto& option : options) option.active_when = {condition};
  return options;
}

std::vector<OptionSpec> joined(std::vector<std::vector<OptionSpec>> lists) {
  std::vector<OptionSpec> all;
  for (auto& list : lists) {
    for (auto& option : list) all.push_back(std::move(option));
  }
  return all;
}

std::vector<std::string> names_of(const std::vector<OptionSpec>& options) {
  std::vector<std::string> names;
  for (const auto& option : options) names.push_back(option.name);
  return names;
}

OptionSpec gradient_checkpointing_option(std::string source) {
  auto option =
      flag_option(kGradientCheckpointing, false,
                  "compute the UNet's activations twice instead of keeping them: less memory, the same loss, gradients "
                  "that are the same but for rounding",
                  std::move(source));
  option.memory_only = true;
  return option;
}

OptionSpec resolution_option(std::int64_t side, std::string source) {
  return integer_option("resolution", side, {.low = 8}, "side of the training pictures in pixels", std::move(source));
}

OptionSpec micro_conditioning_option(std::string source) {
  return choice_option(
      kMicroConditioning, "square", {"square", "photo"},
      "what SDXL is told of a picture: a square that was not cut, or the photo's own size and the place "
      "of its crop; nothing on other bases",
      std::move(source));
}

ConditionalReads micro_conditioning_reads() {
  return {.when = {.option = kMicroConditioning, .value = "photo"}, .options = {kMicroConditioning}};
}

std::vector<OptionSpec> prior_options(const std::string& source) {
  return {flag_option("with_prior_preservation", false, "add the loss of images of the class", source),
          only_when(with_prior(), real_option("prior_loss_weight", 1.0, {.low = 0.0}, "its weight", source))};
}

Condition with_prior() { return {.option = "with_prior_preservation", .value = true}; }

}  // namespace atelier
