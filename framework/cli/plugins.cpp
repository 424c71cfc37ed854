#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/core/text.h"
#include "framework/plan/plugins.h"
#include "framework/store/digest_cache.h"

namespace atelier::cli {
namespace {

struct PluginsOptions {
  std::string name;
  bool json = false;
};

std::string value_text(const Json& value) {
  if (value.is_null()) return "unset";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string condition_text(const std::vector<Condition>& conditions) {
  std::vector<std::string> parts;
  for (const Condition& condition : conditions) {
    parts.push_back(
        fmt::format("{} {} {}", condition.option, condition.negated ? "is not" : "is", value_text(condition.value)));
  }
  return join(parts, " and ");
}

void print_list(const PluginCatalog& catalog) {
  for (const auto& plugin : catalog.all()) fmt::print("{:<20} {}\n", plugin.method.name, plugin.method.summary);
  for (const auto& problem : catalog.problems()) fmt::print("{:<20} cannot be used: {}\n", problem.name, problem.text);
}

void print_options(const MethodSpec& method) {
  fmt::print("\noptions\n");
  for (const OptionSpec& option : method.options) {
    fmt::print("  {:<34} {} (default {})\n      {}\n", option.name, describe_values(option), value_text(option.value),
               option.help);
    if (!option.source.empty()) fmt::print("      source: {}\n", option.source);
    if (option.memory_only) fmt::print("      decides memory and time alone: no stored result depends on it\n");
    if (!option.active_when.empty()) fmt::print("      only when {}\n", condition_text(option.active_when));
  }
}

void print_presets(const MethodSpec& method) {
  fmt::print("\npresets\n");
  bool first = true;
  for (const PresetSpec& preset : method.presets) {
    fmt::print("  {:<14} {}{}\n", preset.name, preset.help, first ? " (the default)" : "");
    for (const auto& [name, value] : preset.options.items()) fmt::print("      {} = {}\n", name, value_text(value));
    first = false;
  }
}

const char* status_text(ArgumentSpec::Status status) {
  switch (status) {
    case ArgumentSpec::Status::option:
      return "option";
    case ArgumentSpec::Status::framework:
      return "done by the framework";
    case ArgumentSpec::Status::refused:
      return "refused";
    case ArgumentSpec::Status::without_effect:
      return "without effect";
  }
  return "";
}

void print_method(const PluginDescription& plugin) {
  const MethodSpec& method = plugin.method;
  fmt::print("{}: {}\n{}\n{}\n\nstages\n", method.name, method.summary, method.paper, plugin.library.string());
  for (const StageSpec& stage : method.stages) {
    const std::string from = stage.inputs.empty() ? "" : " (starts from " + join(stage.inputs) + ")";
    fmt::print("  {}{}\n", stage.name, from);
  }
  const auto& reward = method.sampler.reward_guidance;
  fmt::print("\nsampling: {}, {} steps, guidance {}{}\n", method.sampler.scheduler, method.sampler.steps,
             method.sampler.guidance, reward ? fmt::format(", reward guidance {}", *reward) : "");
  print_options(method);
  print_presets(method);
  if (method.arguments.empty()) return;
  fmt::print("\narguments of the published program\n");
  for (const ArgumentSpec& argument : method.arguments) {
    fmt::print("  {:<34} {}: {}\n", argument.name, status_text(argument.status), argument.text);
  }
}

Json json_of(const PluginDescription& plugin) {
  return {{"library", plugin.library.string()},
          {"build", plugin.build},
          {"torch", plugin.torch},
          {"compiler", plugin.compiler},
          {"method", to_json(plugin.method)}};
}

int run(const PluginsOptions& options) {
  DigestCache digests;
  const PluginCatalog catalog(digests);
  if (!options.name.empty()) {
    const PluginDescription& plugin = catalog.find(options.name);
    if (options.json) {
      fmt::print("{}", pretty_json(json_of(plugin)));
    } else {
      print_method(plugin);
    }
    return 0;
  }
  if (!options.json) {
    print_list(catalog);
    return 0;
  }
  Json all{{"plugins", Json::array()}, {"problems", Json::array()}};
  for (const auto& plugin : catalog.all()) all["plugins"].push_back(json_of(plugin));
  for (const auto& problem : catalog.problems()) {
    all["problems"].push_back({{"name", problem.name}, {"problem", problem.text}});
  }
  fmt::print("{}", pretty_json(all));
  return 0;
}

}  // namespace

void add_plugins(CLI::App& parent, Action& action) {
  CLI::App* app =
      parent.add_subcommand("plugins", "Installed methods: stages, options with defaults and sources, presets");
  const auto options = std::make_shared<PluginsOptions>();
  app->add_option("name", options->name, "one method, in full")->type_name("NAME");
  app->add_flag("--json", options->json, "as JSON");
  app->footer("Examples:\n  atelier plugins\n  atelier plugins textreg\n");
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
