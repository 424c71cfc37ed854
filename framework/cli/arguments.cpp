#include "framework/cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier::cli {
namespace {

bool looks_like_option(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return false;
  const bool number = (word[1] >= '0' && word[1] <= '9') || word[1] == '.';
  return !number;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name() == name) return sub;
  }
  return nullptr;
}

[[noreturn]] void refuse_command(const CLI::App& app, const std::string& word) {
  const auto names = command_names(app);
  const std::string near = nearest(word, names);
  throw Error({.where = place(app),
               .found = fmt::format("no command '{}'", word),
               .expected = near.empty() ? "one of " + join(names) : std::string{},
               .advice = near.empty() ? std::string{} : fmt::format("did you mean '{}'?", near)},
              ErrorKind::usage);
}

[[noreturn]] void refuse_option(const CLI::App& app, const std::string& name) {
  const std::string near = nearest(name, option_names(app));
  throw Error({.where = place(app),
               .found = fmt::format("no option '{}'", name),
               .advice = near.empty() ? fmt::format("see '{} --help'", full_name(app))
                                      : fmt::format("did you mean '{}'?", near)},
              ErrorKind::usage);
}

[[noreturn]] void refuse_value(const std::string& name, std::string found, std::string expected) {
  throw Error({.where = name, .found = std::move(found), .expected = std::move(expected)}, ErrorKind::usage);
}

/// One pass over the words, from the root of the tree to the command that is meant.
class Walk {
 public:
  Walk(const CLI::App& root, const std::vector<std::string>& words) : app_(&root), words_(words) {}

  std::vector<std::string> run() {
    while (at_ < words_.size()) {
      const std::string& word = words_[at_];
      if (word == "--") {
        result_.insert(result_.end(), words_.begin() + static_cast<std::ptrdiff_t>(at_), words_.end());
        break;
      }
      ++at_;
      if (looks_like_option(word)) {
        take_option(word);
      } else {
        take_word(word);
      }
    }
    return std::move(result_);
  }

 private:
  void take_word(const std::string& word) {
    if (!command_names(*app_).empty()) {
      const CLI::App* sub = find_command(*app_, word);
      if (sub == nullptr) refuse_command(*app_, word);
      app_ = sub;
      seen_.clear();
    }
    result_.push_back(word);
  }

  void take_option(const std::string& word) {
    const bool is_long = word.starts_with("--");
    const std::size_t equals = is_long ? word.find('=') : std::string::npos;
    const std::string name = is_long ? word.substr(0, equals) : word.substr(0, 2);
    const CLI::Option* option = known_option(name);
    if (option == nullptr) refuse_option(*app_, name);
    const bool takes_value = option->get_items_expected_min() > 0;
    const bool repeatable = option->get_items_expected_max() > 1;
    if (!seen_.insert(option).second && !repeatable) refuse_value(name, "given twice", "once");
    if (!takes_value) {
      if (word != name) refuse_value(name, fmt::format("'{}'", word), "no value");
      result_.push_back(word);
      return;
    }
    if (equals != std::string::npos) {
      add(name, word.substr(equals + 1));
    } else if (!is_long && word.size() > 2) {
      add(name, word.substr(2));
    } else {
      add(name, next_value(name));
    }
    take_more_values(name, option->get_type_name());
  }

  std::string next_value(const std::string& name) {
    if (at_ == words_.size() || is_known_option(words_[at_])) refuse_value(name, "nothing after it", "a value");
    return words_[at_++];
  }

  void take_more_values(const std::string& name, const std::string& type) {
    if (!type.ends_with(kSeveral)) return;
    const bool pairs = type.starts_with("KEY=VALUE");
    while (at_ < words_.size() && !looks_like_option(words_[at_]) &&
           (!pairs || words_[at_].find('=') != std::string::npos)) {
      add(name, words_[at_++]);
    }
  }

  void add(const std::string& name, std::string value) {
    result_.push_back(name);
    result_.push_back(std::move(value));
  }

  [[nodiscard]] const CLI::Option* known_option(const std::string& name) const {
    return name == "--" ? nullptr : app_->get_option_no_throw(name);
  }

  [[nodiscard]] bool is_known_option(const std::string& word) const {
    return word == "--" || (looks_like_option(word) && known_option(word.substr(0, word.find('='))) != nullptr);
  }

  const CLI::App* app_;  // borrowed: the tree outlives the walk
  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
  std::set<const CLI::Option*> seen_;
  std::vector<std::string> result_;
};

}  // namespace

std::string full_name(const CLI::App& app) {
  const std::string name = app.get_name();
  return app.get_parent() == nullptr ? name : full_name(*app.get_parent()) + " " + name;
}

std::string place(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "command line";
  return app.get_parent()->get_parent() == nullptr ? app.get_name() : place(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> normalise_arguments(const CLI::App& root, const std::vector<std::string>& words) {
  return Walk(root, words).run();
}

HelpFormatter::HelpFormatter() { column_width(34); }

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  std::string text;
  if (option->get_type_size() != 0) {
    if (!option->get_type_name().empty()) text += " " + option->get_type_name();
    if (!option->get_default_str().empty()) text += fmt::format(" [{}]", option->get_default_str());
    if (option->get_required() && option->nonpositional()) text += " (required)";
  }
  return text;
}

std::string HelpFormatter::make_subcommand(const CLI::App* sub) const {
  const std::string description = sub->get_description();
  return fmt::format("  {:<14} {}\n", sub->get_name(), description.substr(0, description.find('\n')));
}

}  // namespace atelier::cli
