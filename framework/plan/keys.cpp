#include "framework/plan/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"

namespace atelier {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string tidied(const std::string& text) {
  std::string tidy;
  for (const char c : text) {
    if (c != ' ' || (!tidy.empty() && tidy.back() != ' ')) tidy += c;
  }
  if (tidy.ends_with(' ')) tidy.pop_back();
  return tidy;
}

std::string option_text(const Json& options, const std::string& name) {
  const auto found = options.find(name);
  return found != options.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The first 8 bytes of a hash over texts, as a seed that other programs take too: below 2³¹.
std::int64_t seed_of(std::string hashed, const std::vector<std::string>& parts) {
  for (const auto& part : parts) hashed += '\0' + part;
  const auto first_eight_bytes = std::stoull(sha256_hex(hashed).substr(0, 16), nullptr, 16);
  return static_cast<std::int64_t>(first_eight_bytes >> 33);
}

/// 1 and 1.0 are two keys; an integer that was parsed and one that was not are the same.
bool same_type(const Json& a, const Json& b) {
  return a.type() == b.type() || (a.is_number_integer() && b.is_number_integer());
}

void compare(const Json& a, const Json& b, const std::string& path, Json& differences) {
  if (!a.is_structured() && a == b && same_type(a, b)) return;
  if (a.is_object() && b.is_object()) {
    auto names = a;
    names.update(b);
    for (const auto& [name, unused] : names.items()) {
      compare(a.value(name, Json()), b.value(name, Json()), path.empty() ? name : path + "." + name, differences);
    }
  } else if (a.is_array() && b.is_array() && a.size() == b.size()) {
    for (std::size_t i = 0; i < a.size(); ++i) compare(a[i], b[i], fmt::format("{}[{}]", path, i), differences);
  } else {
    differences.push_back({{"path", path}, {"a", a}, {"b", b}});
  }
}

}  // namespace

Json train_description(const TrainIngredients& in, std::int64_t step) {
  Json description{{"kind", "train"},
                   {"framework", kFrameworkNumerics},
                   {"method", in.method},
                   {"stage", in.stage->name},
                   {"numerics", in.stage->numerics},
                   {"ordinal", in.ordinal},
                   {"options", in.options},
                   {"inputs", in.inputs},
                   {"concept", in.subject},
                   {"photos", in.photos},
                   {"lists", in.lists},
                   {"base", in.base},
                   {"numerics_class", in.numerics_class},
                   {"seed", in.seed},
                   {"step", step}};
  if (in.total_steps >= 0) description["total_steps"] = in.total_steps;
  if (!in.class_images.is_null()) description["class_images"] = in.class_images;
  return description;
}

Json merge_description(const MergeIngredients& in) {
  return {{"kind", "merge"},
          {"framework", kFrameworkNumerics},
          {"subject", in.subject},
          {"style", in.style},
          {"weights", {in.subject_weight, in.style_weight}},
          {"as", in.as},
          {"rank", in.rank ? Json(*in.rank) : Json()}};
}

std::string merged_phrase(const std::string& phrase, const std::string& subject, const std::string& style) {
  return replaced(replaced(phrase, "{style}", style), "{subject}", subject);
}

Json sample_description(const SampleIngredients& in, const SamplePrompt& prompt) {
  return {{"kind", "sample"},
          {"framework", kFrameworkNumerics},
          {"method", in.method},
          {"plugin_numerics", in.plugin_numerics},
          {"artifact", in.artifact},
          {"options", in.options},
          {"base", in.base},
          {"prompt", prompt.filled},
          {"base_prompt", prompt.base},
          {"negative", in.negative},
          {"sampler", in.sampler},
          {"seeds", prompt.seeds},
          {"size", {in.size, in.size}},
          {"batch", in.batch},
          {"numerics_class", in.numerics_class}};
}

Json class_images_description(const ClassImageIngredients& in, const std::vector<std::int64_t>& seeds) {
  Json description{{"kind", "generate"},
                   {"framework", kFrameworkNumerics},
                   {"base", in.base},
                   {"prompt", in.prompt},
                   {"sampler", in.sampler},
                   {"seeds", seeds},
                   {"size", {in.size, in.size}},
                   {"batch", in.batch},
                   {"numerics_class", in.numerics_class}};
  if (!in.negative.empty()) description["negative"] = in.negative;
  return description;
}

namespace {

Json mask_ingredients(const MaskIngredients& in) {
  return {{"kind", "mask"},
          {"framework", kFrameworkNumerics},
          {"numerics", kMaskNumerics},
          {"segmenter", in.segmenter},
          {"text", in.text},
          {"exif", in.exif},
          {"numerics_class", in.numerics_class}};
}

}  // namespace

Json mask_description(const MaskIngredients& in, const std::string& images) {
  Json description = mask_ingredients(in);
  description["images"] = images;
  return description;
}

Json photo_mask_description(const MaskIngredients& in, const std::string& rule, const Json& photos) {
  Json description = mask_ingredients(in);
  description["rule"] = rule;
  description["photos"] = photos;
  return description;
}

std::int64_t picture_seed(std::int64_t sample_seed, const std::string& text, std::int64_t k) {
  return seed_of("atelier.sample/1", {std::to_string(sample_seed), text, std::to_string(k)});
}

std::int64_t class_image_seed(const std::string& prompt, std::int64_t k) {
  return seed_of("atelier.class_image/1", {prompt, std::to_string(k)});
}

std::string filled(const std::string& text, const std::string& phrase) {
  const auto full = replaced(text, "{}", phrase);
  return phrase.empty() ? tidied(full) : full;
}

std::string phrase_of(const std::string& rule, const Json& options, const std::string& class_word) {
  std::string phrase = replaced(rule, "{placeholder}", option_text(options, "placeholder_token"));
  for (const auto& name : phrase_option_names({.when = {}, .text = rule, .base = {}}))
    phrase = replaced(phrase, "{" + name + "}", option_text(options, name));
  return replaced(phrase, "{class}", class_word);
}

const PhraseRule& phrase_rule(const MethodSpec& spec, const Json& options) {
  for (const auto& rule : spec.phrases) {
    if (hold(rule.when, options)) return rule;
  }
  throw Error({.where = spec.name,
               .found = "no phrase rule that holds",
               .expected = "a last rule without conditions",
               .advice = "rebuild the plugin"});
}

Json phrase_options(const MethodSpec& spec, const Json& options) {
  auto used = Json::object();
  const auto take = [&](const std::string& name) {
    if (options.contains(name)) used[name] = options[name];
  };
  for (const auto& rule : spec.phrases) {
    for (const auto& condition : rule.when) take(condition.option);
    for (const auto& name : phrase_option_names(rule)) take(name);
  }
  return used;
}

Json explain_difference(const Json& a, const Json& b) {
  auto differences = Json::array();
  compare(a, b, "", differences);
  return differences;
}

}  // namespace atelier
