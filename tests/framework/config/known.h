#pragma once

#include <filesystem>
#include <string>

#include "framework/config/study.h"

namespace atelier::tests {

inline OptionSpec option(std::string name, OptionType type, Json value) {
  OptionSpec made;
  made.name = std::move(name);
  made.type = type;
  made.value = std::move(value);
  made.help = "an option of the tests";
  return made;
}

/// Two stages: ti learns a token unless one is given as a file, ut the UNet.
inline MethodSpec textreg_spec() {
  MethodSpec spec;
  spec.name = "textreg";
  spec.options = stage_options("ti", {.learning_rate = 5e-4, .source = "tests"});
  const auto ut = stage_options("ut", {.learning_rate = 1e-4, .source = "tests"});
  spec.options.insert(spec.options.end(), ut.begin(), ut.end());
  spec.options.push_back(option("placeholder_token", OptionType::text, "<krk1>"));
  spec.options.push_back(option("token_file", OptionType::file, nullptr));
  spec.options.push_back(option("max_train_steps", OptionType::integer, 2000));
  spec.options.back().low = 1;
  spec.options.push_back(option("ti_train_step", OptionType::integer, 500));
  spec.options.push_back(option("mask", OptionType::boolean, true));
  spec.options.push_back(option("mask_identifier_ratio", OptionType::real, 0.5));
  spec.options.back().low = 0;
  spec.options.back().high = 1;
  spec.options.back().active_when = {{.option = "mask", .value = true}};
  spec.options.push_back(option("kind", OptionType::choice, "object"));
  spec.options.back().choices = {"object", "style"};
  spec.options.push_back(option("layers", OptionType::integers, Json::array({1, 2})));
  spec.presets = {{.name = "published", .help = "", .options = Json::object()},
                  {.name = "paper", .help = "", .options = {{"mask_identifier_ratio", 0.75}}}};
  StageSpec first;
  first.name = "ti";
  first.reads = stage_option_names("ti");
  first.runs_when = {{.option = "token_file", .value = nullptr}};
  first.steps = {.add = {"ti_train_step"}, .subtract = {}};
  StageSpec second;
  second.name = "ut";
  second.reads = stage_option_names("ut");
  second.reads.insert(second.reads.end(), {"mask", "mask_identifier_ratio", "kind", "layers", "token_file"});
  second.inputs = {"ti"};
  second.steps = {.add = {"max_train_steps"}, .subtract = {"ti_train_step"}};
  spec.stages = {first, second};
  spec.phrases = {{.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  return spec;
}

inline MethodSpec dco_spec() {
  MethodSpec spec;
  spec.name = "dco";
  spec.options = stage_options("lora", {.learning_rate = 5e-5, .source = "tests"});
  spec.options.push_back(option("steps", OptionType::integer, 1000));
  spec.options.push_back(option("rank", OptionType::integer, 32));
  spec.options.back().low = 1;
  spec.options.back().high = 512;
  spec.presets = {{.name = "subject", .help = "", .options = Json::object()},
                  {.name = "style", .help = "", .options = {{"rank", 64}}}};
  StageSpec stage;
  stage.name = "lora";
  stage.reads = stage_option_names("lora");
  stage.reads.push_back("rank");
  stage.steps = {.add = {"steps"}, .subtract = {}};
  spec.stages = {stage};
  spec.phrases = {{.when = {}, .text = "{class}", .base = "{class}"}};
  spec.sampler.scheduler = "euler";
  return spec;
}

inline Known known() {
  static const MethodSpec textreg = textreg_spec();
  static const MethodSpec dco = dco_spec();
  Known made;
  made.method = [](const std::string& name) -> const MethodSpec* {
    if (name == "textreg") return &textreg;
    return name == "dco" ? &dco : nullptr;
  };
  made.methods = {"textreg", "dco"};
  made.protocols = {"ti_code", "ti_paper", "dreambooth"};
  made.prompt_lists = [] { return std::vector<std::string>{"ti/reconstruction", "textreg/object_captions"}; };
  made.has_prompt_list = [](const std::string& id) {
    return id == "ti/reconstruction" || id == "textreg/object_captions";
  };
  made.schedulers = {"ddim", "euler", "euler_ancestral"};
  made.protocol_settings = [](const std::string&) { return std::vector<std::string>{"resize"}; };
  made.scores = [](const std::string& protocol) {
    std::vector<std::string> names{"clip_i", "clip_t"};
    if (protocol.starts_with("ti_")) names.insert(names.end(), {"reconstruction", "editability"});
    return names;
  };
  made.protocol_scheduler = [](const std::string&) { return std::string("ddim"); };
  made.scheduler_settings = [](const std::string& scheduler) {
    auto spacing = option("timestep_spacing", OptionType::choice, "leading");
    spacing.choices = {"leading", "trailing"};
    auto eta = option("eta", OptionType::real, 0.0);
    eta.low = 0;
    eta.high = 1;
    auto offset = option("steps_offset", OptionType::integer, 0);
    offset.low = 0;
    offset.high = 999;
    return scheduler == "ddim" ? std::vector{spacing, eta, offset} : std::vector{spacing};
  };
  made.concept_sets = {"small", "large"};
  made.concepts = [](const std::string& set) {
    if (set == "small") return std::vector<std::string>{"dog", "teapot", "vase"};
    return std::vector<std::string>{"dog", "teapot", "vase", "robot", "clock"};
  };
  made.concept_sources = [](const std::string&) {
    return std::map<std::string, std::vector<std::string>>{{"here", {"dog", "clock"}}, {"there", {"teapot", "vase"}}};
  };
  return made;
}

}  // namespace atelier::tests
