#include "framework/config/method_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/core/text.h"

namespace atelier {
namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

class SpecCheck {
 public:
  explicit SpecCheck(const MethodSpec& spec) : spec_(spec) {}

  void run() {
    require(is_word(spec_.name), "", fmt::format("the method's name \"{}\"", spec_.name), "a-z, 0-9 and _");
    check_stage_names();
    check_options();
    for (const auto& option : spec_.options) {
      check_conditions(option.active_when, "option " + option.name);
      if (!option.memory_only) check_deciding(option.active_when, "option " + option.name);
    }
    check_presets();
    for (std::size_t i = 0; i < spec_.stages.size(); ++i) check_stage(i);
    check_phrases();
    check_arguments();
  }

 private:
  void require(bool holds, const std::string& part, std::string found, std::string expected) const {
    if (holds) return;
    const auto where = spec_.name + (part.empty() ? "" : ": " + part);
    throw Error({.where = where, .found = std::move(found), .expected = std::move(expected)});
  }

  const OptionSpec& option_named(const std::string& name, const std::string& part) const {
    const auto* option = find_option(spec_, name);
    if (option != nullptr) return *option;
    const auto near = nearest(name, option_names(spec_));
    throw Error({.where = spec_.name + ": " + part,
                 .found = fmt::format("the option \"{}\", which the method does not have", name),
                 .expected = near.empty() ? "a declared option" : "a declared option, perhaps " + near});
  }

  Json checked(const OptionSpec& option, const Json& value, const std::string& part) const {
    try {
      return check_value(option, value, spec_.name + ": " + part);
    } catch (const Error& error) {
      throw Error(error.fault());  // the method's own fault, not its user's
    }
  }

  void check_stage_names() {
    for (const auto& stage : spec_.stages) {
      require(is_word(stage.name), "stages", fmt::format("the name \"{}\"", stage.name), "a-z, 0-9 and _");
      require(stages_.insert(stage.name).second, "stages", fmt::format("\"{}\" twice", stage.name), "each stage once");
    }
  }

  void check_options() const {
    std::set<std::string> seen;
    for (const auto& option : spec_.options) {
      const auto part = "option " + option.name;
      require(seen.insert(option.name).second, part, "declared twice", "each option once");
      check_option_name(option.name, part);
      check_option(option, part);
    }
  }

  void check_option_name(const std::string& name, const std::string& part) const {
    const auto dot = name.find('.');
    if (dot == std::string::npos) {
      require(is_word(name), part, "an unusable name", "a-z, 0-9 and _");
      return;
    }
    require(stages_.contains(name.substr(0, dot)), part, fmt::format("no stage \"{}\"", name.substr(0, dot)),
            "<stage>.<name> with a stage of the method");
    require(is_word(name.substr(dot + 1)), part, "an unusable name", "a-z, 0-9 and _");
  }

  void check_option(const OptionSpec& option, const std::string& part) const {
    const bool is_choice = option.type == OptionType::choice;
    require(is_choice == !option.choices.empty(), part, is_choice ? "no choices" : "choices",
            is_choice ? "some choices" : "none: it is no choice");
    const bool numeric =
        option.type == OptionType::integer || option.type == OptionType::real || option.type == OptionType::integers;
    require(numeric || (!option.low && !option.high), part, "limits", "none: it is no number");
    require(!option.low || !option.high || *option.low <= *option.high, part, "limits in the wrong order",
            "low <= high");
    require(!option.help.empty(), part, "no help", "one line of help");
    const auto value = checked(option, option.value, part);
    // A default in another type than the option's would make keys differ from those of the same value chosen.
    require(value.type() == option.value.type() || value.is_number_integer(), part, "a default in another type",
            std::string(option_type_name(option.type)));
  }

  void check_conditions(const std::vector<Condition>& conditions, const std::string& part) const {
    for (const auto& condition : conditions) {
      const auto& option = option_named(condition.option, part);
      if (!condition.value.is_null()) static_cast<void>(checked(option, condition.value, part + ": condition"));
    }
  }

  /// What is in no key must not decide anything that is.
  void check_deciding(const std::vector<Condition>& conditions, const std::string& part) const {
    for (const auto& condition : conditions) {
      require(!option_named(condition.option, part).memory_only, part + ": condition",
              fmt::format("\"{}\", which decides memory alone", condition.option), "an option that decides results");
    }
  }

  void check_presets() const {
    std::set<std::string> seen;
    for (const auto& preset : spec_.presets) {
      const auto part = "preset " + preset.name;
      require(!preset.name.empty() && seen.insert(preset.name).second, part, "no name of its own", "each name once");
      require(preset.options.is_object() || preset.options.is_null(), part, "options that are no object", "an object");
      if (preset.options.is_null()) continue;
      for (const auto& [name, value] : preset.options.items()) {
        static_cast<void>(checked(option_named(name, part), value, part));
      }
    }
  }

  void check_stage(std::size_t index) const {
    const auto& stage = spec_.stages[index];
    const auto part = "stage " + stage.name;
    require(stage.numerics >= 1, part, fmt::format("numerics {}", stage.numerics), "at least 1");
    std::set<std::string> seen;
    for (const auto& name : stage.reads) {
      static_cast<void>(option_named(name, part + ": reads"));
      require(seen.insert(name).second, part + ": reads", fmt::format("\"{}\" twice", name), "each option once");
    }
    for (const auto& reads : stage.reads_when) {
      check_conditions({reads.when}, part + ": reads_when");
      check_deciding({reads.when}, part + ": reads_when");
      for (const auto& name : reads.options) static_cast<void>(option_named(name, part + ": reads_when"));
    }
    for (const auto& input : stage.inputs) {
      const auto earlier = std::find_if(spec_.stages.begin(), spec_.stages.begin() + static_cast<std::ptrdiff_t>(index),
                                        [&](const StageSpec& other) { return other.name == input; });
      require(earlier != spec_.stages.begin() + static_cast<std::ptrdiff_t>(index), part + ": inputs",
              fmt::format("\"{}\"", input), "an earlier stage");
    }
    check_steps(stage.steps.add, part);
    check_steps(stage.steps.subtract, part);
    for (const auto& [conditions, name] : {std::pair(&stage.runs_when, ": runs_when"),
                                           std::pair(&stage.depends_on_total_when, ": depends_on_total_when"),
                                           std::pair(&stage.class_images_when, ": class_images_when")}) {
      check_conditions(*conditions, part + name);
      check_deciding(*conditions, part + name);
    }
  }

  void check_steps(const std::vector<std::string>& names, const std::string& part) const {
    for (const auto& name : names) {
      const auto& option = option_named(name, part + ": steps");
      require(option.type == OptionType::integer && !option.memory_only, part + ": steps",
              fmt::format("\"{}\"{}", name, option.memory_only ? ", which decides memory alone" : ", no integer"),
              "integer options that decide results");
    }
  }

  void check_phrases() const {
    require(!spec_.phrases.empty() && spec_.phrases.back().when.empty(), "phrases", "no rule that always holds",
            "a last rule without conditions");
    for (const auto& rule : spec_.phrases) {
      check_conditions(rule.when, "phrases");
      check_deciding(rule.when, "phrases");
      check_phrase(rule);
    }
  }

  void check_phrase(const PhraseRule& rule) const {
    for (const auto& name : phrase_option_names(rule)) {
      require(option_named(name, "phrases").type == OptionType::text, "phrases", "{" + name + "}",
              "{class}, {placeholder} or a text option");
    }
  }

  void check_arguments() const {
    for (const auto& argument : spec_.arguments) {
      const auto part = "argument " + argument.name;
      require(!argument.name.empty() && !argument.text.empty(), part, "no name or no text", "both");
      if (argument.status == ArgumentSpec::Status::option) static_cast<void>(option_named(argument.text, part));
    }
  }

  const MethodSpec& spec_;
  std::set<std::string> stages_;
};

}  // namespace

void check_spec(const MethodSpec& spec) { SpecCheck(spec).run(); }

std::vector<std::string> phrase_option_names(const PhraseRule& rule) {
  std::vector<std::string> names;
  for (const auto* text : {&rule.text, &rule.base}) {
    for (auto open = text->find('{'); open != std::string::npos; open = text->find('{', open + 1)) {
      const auto close = text->find('}', open);
      auto name = text->substr(open + 1, close == std::string::npos ? close : close - open - 1);
      if (name == "class") continue;
      if (name == "placeholder") name = "placeholder_token";
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace atelier
