#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"
#include "framework/config/yaml.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/plugins.h"

namespace atelier::cli {
namespace {

struct MethodOptions {
  std::string plugin, stage, config;
  BaseModel base;
  FilePairs files;
  Placement placement;
  std::optional<std::int64_t> threads;
};

/// run.yaml: which settings of the method the steps are made with.
struct RunConfig {
  std::string preset;
  std::string class_word;
  Json chosen = Json::object();  ///< options by full name
};

void add_chosen(const YamlNode* node, const std::string& path, const std::string& prefix, RunConfig& run,
                Faults& faults) {
  if (node == nullptr || node->kind == YamlNode::Kind::null) return;
  if (node->kind != YamlNode::Kind::map) {
    faults.add(node->at, fmt::format("{}: {}", path, describe(*node)), "a mapping of options");
    return;
  }
  for (const auto& entry : node->entries) run.chosen[prefix + entry.key] = yaml_json(entry.value);
}

/// What stands under a stage is an option of the stage or, where the stage has none of that name, of the method (DCO's
/// text_encoder_lr).
void move_to_method(const MethodSpec& spec, const std::string& stage, RunConfig& run) {
  const std::string prefix = stage + ".";
  Json moved = Json::object();
  for (const auto& [name, value] : run.chosen.items()) {
    if (!name.starts_with(prefix) || find_option(spec, name) != nullptr) continue;
    const std::string bare = name.substr(prefix.size());
    if (find_option(spec, bare) != nullptr && !run.chosen.contains(bare)) moved[name] = bare;
  }
  for (const auto& [name, bare] : moved.items()) {
    run.chosen[bare.get<std::string>()] = run.chosen[name];
    run.chosen.erase(name);
  }
}

/// Without a preset: the first one in which the stage runs (DCO's style has other defaults than its subject).
std::string preset_of(const MethodSpec& spec, const std::string& stage, const RunConfig& run) {
  if (!run.preset.empty()) return run.preset;
  const auto of_name = std::ranges::find(spec.stages, stage, &StageSpec::name);
  for (const auto& preset : spec.presets) {
    Json options = Json::object();
    for (const auto& option : spec.options) options[option.name] = option.value;
    options.update(preset.options);
    options.update(run.chosen);
    if (std::ranges::all_of(of_name->runs_when, [&](const Condition& when) { return holds(when, options); })) {
      return preset.name;
    }
  }
  return "";
}

void add_stages(const YamlNode* node, const MethodSpec& spec, RunConfig& run, Faults& faults) {
  if (node == nullptr) return;
  std::vector<std::string> names;
  for (const auto& stage : spec.stages) names.push_back(stage.name);
  const YamlMap stages(*node, "stages", names, faults);
  for (const auto& name : names) {
    add_chosen(stages.get(name), stages.path(name), name + ".", run, faults);
    move_to_method(spec, name, run);
  }
}

std::string text_of(const YamlMap& map, const char* key, Faults& faults) {
  const YamlNode* node = map.get(key);
  return node == nullptr ? "" : yaml_text(*node, map.path(key), faults).value_or("");
}

RunConfig read_config(const std::string& path, const MethodSpec& spec) {
  Faults faults(path);
  const YamlNode root = parse_yaml(read_text_file(path), faults);
  RunConfig run;
  const YamlMap map(root, "", {"method", "preset", "placeholder", "class_word", "options", "stages"}, faults);
  if (const auto method = text_of(map, "method", faults); !method.empty() && method != spec.name) {
    faults.add(map.get("method")->at, fmt::format("method: {}", method), spec.name + ", as on the command line");
  }
  run.preset = text_of(map, "preset", faults);
  run.class_word = text_of(map, "class_word", faults);
  if (const auto placeholder = text_of(map, "placeholder", faults); !placeholder.empty()) {
    run.chosen["placeholder_token"] = placeholder;
  }
  add_chosen(map.get("options"), "options", "", run, faults);
  add_stages(map.get("stages"), spec, run, faults);
  faults.raise();
  return run;
}

void check_stage(const MethodSpec& spec, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& stage : spec.stages) names.push_back(stage.name);
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  throw Error({.where = "--stage", .found = name, .expected = fmt::format("a stage of {}: {}", spec.name, join(names))},
              ErrorKind::usage);
}

void refuse_half_precision(const Placement& placement) {
  if (placement.dtype != "float16") return;
  throw Error({.where = "--dtype",
               .found = "float16",
               .expected = "float32, bfloat16 or float64",
               .advice = "gradients underflow in float16; bfloat16 needs no loss scaling"},
              ErrorKind::usage);
}

int run(const MethodOptions& options) {
  refuse_half_precision(options.placement);
  check_file_pairs(options.files);
  DigestCache digests;
  const PluginCatalog plugins(digests);
  const PluginDescription& plugin = plugins.find(options.plugin);
  check_stage(plugin.method, options.stage);
  const RunConfig config = read_config(options.config, plugin.method);
  check_base_model(options.base);
  Json job = {{"job", "probe.method"},
              {"method", plugin.method.name},
              {"plugin", plugin.library.string()},
              {"stage", options.stage},
              {"options", resolve_options(plugin.method, preset_of(plugin.method, options.stage, config), config.chosen,
                                          options.config)},
              {"class_word", config.class_word},
              {"in", options.files.in},
              {"out", options.files.out},
              {"device", options.placement.device},
              {"dtype", options.placement.dtype},
              {"threads", or_null(options.threads)}};
  describe_base_model(job, options.base);
  launch_worker(job);
}

constexpr const char* kProbeMethodExamples =
    R"(Runs the optimizer steps whose batches and draws stand in --in; writes losses, gradients and trained parameters.

Examples:
  atelier probe method textreg --stage ut --model sd15 --config run.yaml --in steps.safetensors --out result.safetensors
)";

}  // namespace

void add_probe_method(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("method", "Run the first training steps of a method's stage on given draws");
  const auto options = std::make_shared<MethodOptions>();
  app->add_option("plugin", options->plugin, "the method")->required();
  app->add_option("--stage", options->stage, "the stage of the method")->required()->type_name("STAGE");
  existing_file(app->add_option("--config", options->config, "run.yaml: preset, class word, options")->required());
  add_base_model(*app, options->base);
  add_file_pairs(*app, options->files);
  add_placement(*app, options->placement);
  whole_number(app->add_option("--threads", options->threads, "CPU threads (default: all)"), 1, 1024);
  app->footer(kProbeMethodExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
