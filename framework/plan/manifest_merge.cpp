// A subject's and a style's LoRA as one: `merge:` of a study.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "framework/core/error.h"
#include "framework/plan/manifest_builder.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

/// The word that a part's prompts have for its concept; "" where that is its class word alone.
std::string own_word(const Cell& cell, const MethodSpec& spec) {
  const auto names = phrase_option_names(phrase_rule(spec, cell.options));
  const Json& value = member_or_null(cell.options, "placeholder_token");
  const bool named = std::ranges::count(names, std::string("placeholder_token")) > 0;
  return named && value.is_string() ? value.get<std::string>() : "";
}

void require_own_words(const std::array<const Cell*, 2>& parts, const std::array<PlannedModel, 2>& models,
                       const StudyMerge& merge, const std::string& file) {
  const auto subject = own_word(*parts[0], models[0].plugin->method);
  if (subject.empty() || subject != own_word(*parts[1], models[1].plugin->method)) return;
  throw Error(
      {.where = place_text(file, merge.style_at),
       .found = fmt::format("{} and {} have the same word for their concepts, {}", merge.subject, merge.style, subject),
       .expected = "two words",
       .advice = fmt::format("give one of them another placeholder_token: methods.{}.options", merge.style)},
      ErrorKind::usage);
}

}  // namespace

void ManifestBuilder::add_merge(const Cell& cell) {
  const StudyMerge& merge = *std::ranges::find(study_.methods, cell.label, &StudyMethod::label)->merge;
  const std::array<const Cell*, 2> parts{&cell.parts.at(0), &cell.parts.at(1)};
  std::array<PlannedModel, 2> models;
  std::vector<std::int64_t> jobs;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    models[i] = model_of(*parts[i]);
    plan_training(models[i], *parts[i], total_steps(models[i].plugin->method, *parts[i]), jobs);
  }
  const auto& [subject, style] = models;
  require_own_words(parts, models, merge, study_.file);
  const Json description = merge_description({.subject = subject.artifact.get<std::string>(),
                                              .style = style.artifact.get<std::string>(),
                                              .subject_weight = merge.subject_weight,
                                              .style_weight = merge.style_weight,
                                              .as = merge.as,
                                              .rank = merge.rank});
  const std::string key = key_of(description);
  Json content = common_job(subject);
  content["subject"] = subject.artifact;
  content["style"] = style.artifact;
  content["weights"] = description.at("weights");
  content["as"] = merge.as;
  content["rank"] = description.at("rank");
  Json& merging = job(key, "merge", {subject.train_job, style.train_job}, subject.base->digest, std::move(content));
  if (merging.at("outputs").empty()) merging["outputs"].push_back({{"key", key}, {"description", description}});
  PlannedModel model = subject;
  model.label = cell.label;
  model.phrase = merged_phrase(merge.phrase, subject.phrase, style.phrase);
  model.base_phrase = merged_phrase(merge.phrase, subject.base_phrase, style.base_phrase);
  model.artifacts.insert(model.artifacts.end(), style.artifacts.begin(), style.artifacts.end());
  model.artifacts.push_back(key);
  model.artifact = key;
  model.train_job = merging.at("id").get<std::int64_t>();
  jobs.push_back(model.train_job);
  add_runs(model, cell, Json(), jobs);
}

}  // namespace atelier
