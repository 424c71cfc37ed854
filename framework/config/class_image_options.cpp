#include "framework/config/method_spec.h"

namespace atelier {
namespace {

OptionSpec class_image_option(const ClassImageDefaults& defaults, const char* name, OptionType type, Json value,
                              const char* help) {
  OptionSpec option;
  option.name = name;
  option.type = type;
  option.value = std::move(value);
  option.help = help;
  option.source = defaults.source;
  option.active_when = {defaults.when};
  return option;
}

}  // namespace

OptionSpec class_images_option(const Condition& when) {
  auto option = class_image_option({.when = when, .source = "ours"}, "class_images", OptionType::choice, "auto",
                                   "images of the class: those that are given, else generated ones; or one of the two");
  option.choices = {"auto", "given", "generated"};
  return option;
}

std::vector<OptionSpec> class_image_options(const ClassImageDefaults& defaults) {
  std::vector<OptionSpec> options{class_images_option(defaults.when),
                                  class_image_option(defaults, "class_prompt", OptionType::text, defaults.prompt,
                                                     "what the base model draws them from; {} is the class word"),
                                  class_image_option(defaults, "num_class_images", OptionType::integer, defaults.count,
                                                     "how many are generated; given ones are all used")};
  options.back().low = 1;
  return options;
}

}  // namespace atelier
