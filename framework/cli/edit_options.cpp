#include "framework/cli/edit_options.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "framework/cli/arguments.h"
#include "framework/cli/options.h"
#include "framework/core/error.h"

namespace atelier::cli {
namespace {

constexpr const char* kSpans = "E or B:E, shares of the steps from 0 to 1";

[[noreturn]] void refuse_value(const std::string& option, const std::string& text, std::string expected) {
  throw Error({.where = option, .found = fmt::format("'{}'", text), .expected = std::move(expected)}, ErrorKind::usage);
}

std::optional<double> number_in(const std::string& text) {
  const Json value = Json::parse(text, nullptr, false);
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// "0.8" is from 0 to 0.8.
Json span_in(const std::string& option, const std::string& text) {
  const auto colon = text.find(':');
  const auto begin = colon == std::string::npos ? std::optional(0.0) : number_in(text.substr(0, colon));
  const auto end = number_in(colon == std::string::npos ? text : text.substr(colon + 1));
  if (!begin || !end || *begin < 0.0 || *end > 1.0 || *begin > *end) refuse_value(option, text, kSpans);
  return {*begin, *end};
}

struct OfWord {
  std::string word, value;  ///< "" for all words
};

OfWord split(const std::string& text) {
  const auto equals = text.rfind('=');
  if (equals == std::string::npos) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void put_cross(Json& edit, const std::vector<std::string>& texts) {
  edit["cross"] = {0.0, 0.8};
  edit["of_words"] = Json::array();
  for (const auto& text : texts) {
    const auto [word, value] = split(text);
    const Json span = span_in("--cross-replace", value);
    if (word.empty()) {
      edit["cross"] = span;
    } else {
      edit["of_words"].push_back({word, span});
    }
  }
}

Json factors_in(const std::vector<std::string>& texts) {
  Json factors = Json::array();
  for (const auto& text : texts) {
    const auto [word, value] = split(text);
    const auto factor = number_in(value);
    if (word.empty() || !factor) refuse_value("--reweight", text, "WORD=FACTOR, such as fluffy=3");
    factors.push_back({word, *factor});
  }
  return factors;
}

/// "cat,tail" is two words.
Json words_in(const std::string& text) {
  Json words = Json::array();
  std::istringstream list(text);
  for (std::string word; std::getline(list, word, ',');) {
    if (!word.empty()) words.push_back(word);
  }
  if (words.empty()) refuse_value("--blend", text, "words, separated by commas");
  return words;
}

}  // namespace

void add_edit_options(CLI::App& app, EditOptions& options) {
  const auto several = [&](const char* name, std::vector<std::string>& values, const char* help, const char* type) {
    app.add_option(name, values, help)->allow_extra_args(false)->type_name(std::string(type) + kSeveral);
  };
  several("--edit", options.prompts, "edit the prompt's pictures to this prompt (prompt-to-prompt)", "TEXT");
  one_of(app.add_option("--edit-mode", options.mode, "auto: replace where the prompts have as many words, else refine")
             ->capture_default_str(),
         {"auto", "replace", "refine"});
  several("--cross-replace", options.cross,
          "steps with the source's cross-attention (default: 0.8), of all words or of one", "[WORD=][B:]E");
  app.add_option("--self-replace", options.self, "steps with the source's self-attention")
      ->capture_default_str()
      ->type_name("[B:]E");
  several("--reweight", options.factors, "factor on the attention to a word of the edited prompts", "WORD=FACTOR");
  several("--blend", options.blend,
          "keep edits to where these words are looked at: the source's, then each edited prompt's", "WORD[,WORD]");
  real_number(
      app.add_option("--blend-threshold", options.threshold, "of the map's largest value")->capture_default_str());
}

Json edit_json(const EditOptions& options) {
  if (options.prompts.empty()) {
    if (!options.cross.empty()) refuse_value("--cross-replace", options.cross.front(), "an --edit");
    if (!options.factors.empty()) refuse_value("--reweight", options.factors.front(), "an --edit");
    if (!options.blend.empty()) refuse_value("--blend", options.blend.front(), "an --edit");
    return nullptr;
  }
  Json edit{{"prompts", options.prompts},
            {"mode", options.mode},
            {"self", span_in("--self-replace", options.self)},
            {"factors", factors_in(options.factors)},
            {"blend", Json::array()},
            {"threshold", options.threshold}};
  put_cross(edit, options.cross);
  for (const auto& text : options.blend) edit["blend"].push_back(words_in(text));
  if (!options.blend.empty() && options.blend.size() != 1 + options.prompts.size()) {
    refuse_value("--blend", fmt::format("{} times", options.blend.size()),
                 fmt::format("{} times: for the source and for each edit", 1 + options.prompts.size()));
  }
  return edit;
}

}  // namespace atelier::cli
