// A MethodSpec as JSON and back: what a plugin's description file holds.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "framework/config/method_spec.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr std::array kTypes = {OptionType::boolean, OptionType::integer, OptionType::real,    OptionType::text,
                               OptionType::choice,  OptionType::file,    OptionType::integers};

constexpr std::array<std::pair<ArgumentSpec::Status, const char*>, 4> kStatuses = {
    {{ArgumentSpec::Status::option, "option"},
     {ArgumentSpec::Status::framework, "framework"},
     {ArgumentSpec::Status::refused, "refused"},
     {ArgumentSpec::Status::without_effect, "without_effect"}}};

template <typename T, typename Write>
Json list_json(const std::vector<T>& items, Write write) {
  auto list = Json::array();
  for (const auto& item : items) list.push_back(write(item));
  return list;
}

Json condition_json(const Condition& condition) {
  return {{"option", condition.option}, {"value", condition.value}, {"negated", condition.negated}};
}

Json conditions_json(const std::vector<Condition>& conditions) { return list_json(conditions, condition_json); }

Json option_json(const OptionSpec& option) {
  Json json = {{"name", option.name},
               {"type", option_type_name(option.type)},
               {"value", option.value},
               {"choices", option.choices},
               {"help", option.help},
               {"source", option.source},
               {"active_when", conditions_json(option.active_when)},
               {"memory_only", option.memory_only}};
  json["low"] = option.low ? Json(*option.low) : Json();
  json["high"] = option.high ? Json(*option.high) : Json();
  return json;
}

Json preset_json(const PresetSpec& preset) {
  return {{"name", preset.name},
          {"help", preset.help},
          {"options", preset.options.is_null() ? Json::object() : preset.options}};
}

Json reads_json(const ConditionalReads& reads) {
  return {{"when", condition_json(reads.when)}, {"options", reads.options}};
}

Json sampler_json(const SamplerSpec& sampler) {
  return {{"scheduler", sampler.scheduler},
          {"steps", sampler.steps},
          {"guidance", sampler.guidance},
          {"reward_guidance", sampler.reward_guidance ? Json(*sampler.reward_guidance) : Json()},
          {"settings", sampler.settings}};
}

Json stage_json(const StageSpec& stage) {
  return {{"name", stage.name},
          {"numerics", stage.numerics},
          {"reads", stage.reads},
          {"reads_when", list_json(stage.reads_when, reads_json)},
          {"inputs", stage.inputs},
          {"runs_when", conditions_json(stage.runs_when)},
          {"steps", {{"add", stage.steps.add}, {"subtract", stage.steps.subtract}}},
          {"depends_on_total_when", conditions_json(stage.depends_on_total_when)},
          {"lists", stage.lists},
          {"class_images_when", conditions_json(stage.class_images_when)},
          {"class_images_sampler", sampler_json(stage.class_images_sampler)}};
}

Json phrase_json(const PhraseRule& rule) {
  return {{"when", conditions_json(rule.when)}, {"text", rule.text}, {"base", rule.base}};
}

Json argument_json(const ArgumentSpec& argument) {
  const char* status = "";
  for (const auto& [value, name] : kStatuses) {
    if (value == argument.status) status = name;
  }
  return {{"name", argument.name}, {"status", status}, {"text", argument.text}};
}

/// One JSON object whose fields are all required and all known; `where` says how it was reached.
class Fields {
 public:
  Fields(const Json& json, std::string where, std::initializer_list<const char*> names)
      : json_(json), where_(std::move(where)) {
    if (!json.is_object()) fail("no object", "an object");
    for (const auto* name : names) {
      if (!json.contains(name)) fail(fmt::format("no field \"{}\"", name), "a method's description");
    }
    if (json.size() == names.size()) return;
    const std::vector<std::string> known(names.begin(), names.end());
    for (const auto& [name, value] : json.items()) {
      if (std::ranges::count(known, name) == 0)
        fail(fmt::format("unknown field \"{}\"", name), "one of " + join(known));
    }
  }

  [[noreturn]] void fail(std::string found, std::string expected) const {
    throw Error({.where = where_,
                 .found = std::move(found),
                 .expected = std::move(expected),
                 .advice = "rebuild or reinstall the plugin"});
  }

  [[nodiscard]] const Json& raw(const char* name) const { return json_.at(name); }
  [[nodiscard]] std::string path(const char* name) const { return where_ + "." + name; }

  [[nodiscard]] std::string text(const char* name) const {
    if (!raw(name).is_string()) fail(fmt::format("{}: no text", name), "a text");
    return raw(name).get<std::string>();
  }

  [[nodiscard]] std::int64_t integer(const char* name) const {
    if (!raw(name).is_number_integer()) fail(fmt::format("{}: no integer", name), "an integer");
    return raw(name).get<std::int64_t>();
  }

  [[nodiscard]] bool flag(const char* name) const {
    if (!raw(name).is_boolean()) fail(fmt::format("{}: no boolean", name), "true or false");
    return raw(name).get<bool>();
  }

  [[nodiscard]] double real(const char* name) const {
    if (!raw(name).is_number()) fail(fmt::format("{}: no number", name), "a number");
    return raw(name).get<double>();
  }

  [[nodiscard]] std::optional<double> optional_real(const char* name) const {
    if (raw(name).is_null()) return std::nullopt;
    return real(name);
  }

  [[nodiscard]] std::vector<std::string> texts(const char* name) const {
    return list<std::string>(name, [](const Json& item, const std::string& where) {
      if (!item.is_string()) {
        throw Error({.where = where, .found = "no text", .expected = "a text", .advice = "reinstall the plugin"});
      }
      return item.get<std::string>();
    });
  }

  template <typename T, typename Read>
  [[nodiscard]] std::vector<T> list(const char* name, Read read) const {
    if (!raw(name).is_array()) fail(fmt::format("{}: no list", name), "a list");
    std::vector<T> items;
    for (const auto& item : raw(name)) items.push_back(read(item, fmt::format("{}[{}]", path(name), items.size())));
    return items;
  }

 private:
  const Json& json_;
  std::string where_;
};

Condition read_condition(const Json& json, const std::string& where) {
  const Fields fields(json, where, {"option", "value", "negated"});
  return {.option = fields.text("option"), .value = fields.raw("value"), .negated = fields.flag("negated")};
}

OptionType read_type(const Fields& fields) {
  const auto name = fields.text("type");
  for (const auto type : kTypes) {
    if (option_type_name(type) == name) return type;
  }
  fields.fail(fmt::format("the type \"{}\"", name), "an option's type");
}

OptionSpec read_option(const Json& json, const std::string& where) {
  const Fields fields(json, where,
                      {"name", "type", "value", "choices", "help", "source", "active_when", "memory_only", "low", "high"});
  OptionSpec option;
  option.name = fields.text("name");
  option.type = read_type(fields);
  option.value = fields.raw("value");
  option.low = fields.optional_real("low");
  option.high = fields.optional_real("high");
  option.choices = fields.texts("choices");
  option.help = fields.text("help");
  option.source = fields.text("source");
  option.active_when = fields.list<Condition>("active_when", read_condition);
  option.memory_only = fields.flag("memory_only");
  return option;
}

PresetSpec read_preset(const Json& json, const std::string& where) {
  const Fields fields(json, where, {"name", "help", "options"});
  return {.name = fields.text("name"), .help = fields.text("help"), .options = fields.raw("options")};
}

ConditionalReads read_reads(const Json& json, const std::string& where) {
  const Fields fields(json, where, {"when", "options"});
  return {.when = read_condition(fields.raw("when"), fields.path("when")), .options = fields.texts("options")};
}

SamplerSpec read_sampler(const Json& json, const std::string& where) {
  const Fields fields(json, where, {"scheduler", "steps", "guidance", "reward_guidance", "settings"});
  if (!fields.raw("settings").is_object()) fields.fail("settings: no object", "an object");
  return {.scheduler = fields.text("scheduler"),
          .steps = fields.integer("steps"),
          .guidance = fields.real("guidance"),
          .reward_guidance = fields.optional_real("reward_guidance"),
          .settings = fields.raw("settings")};
}

StageSpec read_stage(const Json& json, const std::string& where) {
  const Fields fields(json, where,
                      {"name", "numerics", "reads", "reads_when", "inputs", "runs_when", "steps",
                       "depends_on_total_when", "lists", "class_images_when", "class_images_sampler"});
  const Fields steps(fields.raw("steps"), fields.path("steps"), {"add", "subtract"});
  StageSpec stage;
  stage.name = fields.text("name");
  stage.numerics = static_cast<int>(fields.integer("numerics"));
  stage.reads = fields.texts("reads");
  stage.reads_when = fields.list<ConditionalReads>("reads_when", read_reads);
  stage.inputs = fields.texts("inputs");
  stage.runs_when = fields.list<Condition>("runs_when", read_condition);
  stage.steps = {.add = steps.texts("add"), .subtract = steps.texts("subtract")};
  stage.depends_on_total_when = fields.list<Condition>("depends_on_total_when", read_condition);
  stage.lists = fields.texts("lists");
  stage.class_images_when = fields.list<Condition>("class_images_when", read_condition);
  stage.class_images_sampler = read_sampler(fields.raw("class_images_sampler"), fields.path("class_images_sampler"));
  return stage;
}

PhraseRule read_phrase(const Json& json, const std::string& where) {
  const Fields fields(json, where, {"when", "text", "base"});
  return {
      .when = fields.list<Condition>("when", read_condition), .text = fields.text("text"), .base = fields.text("base")};
}

ArgumentSpec read_argument(const Json& json, const std::string& where) {
  const Fields fields(json, where, {"name", "status", "text"});
  const auto status = fields.text("status");
  for (const auto& [value, name] : kStatuses) {
    if (status == name) return {.name = fields.text("name"), .status = value, .text = fields.text("text")};
  }
  fields.fail(fmt::format("the status \"{}\"", status), "option, framework, refused or without_effect");
}

}  // namespace

Json to_json(const MethodSpec& spec) {
  return {{"name", spec.name},
          {"summary", spec.summary},
          {"paper", spec.paper},
          {"options", list_json(spec.options, option_json)},
          {"presets", list_json(spec.presets, preset_json)},
          {"stages", list_json(spec.stages, stage_json)},
          {"phrases", list_json(spec.phrases, phrase_json)},
          {"sampler", sampler_json(spec.sampler)},
          {"arguments", list_json(spec.arguments, argument_json)}};
}

MethodSpec method_spec_from_json(const Json& json, const std::string& where) {
  const Fields fields(json, where,
                      {"name", "summary", "paper", "options", "presets", "stages", "phrases", "sampler", "arguments"});
  MethodSpec spec;
  spec.name = fields.text("name");
  spec.summary = fields.text("summary");
  spec.paper = fields.text("paper");
  spec.options = fields.list<OptionSpec>("options", read_option);
  spec.presets = fields.list<PresetSpec>("presets", read_preset);
  spec.stages = fields.list<StageSpec>("stages", read_stage);
  spec.phrases = fields.list<PhraseRule>("phrases", read_phrase);
  spec.sampler = read_sampler(fields.raw("sampler"), fields.path("sampler"));
  spec.arguments = fields.list<ArgumentSpec>("arguments", read_argument);
  return spec;
}

}  // namespace atelier
