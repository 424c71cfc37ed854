#include "framework/plan/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/plan/concept.h"
#include "framework/plan/manifest_builder.h"
#include "framework/plan/remaining.h"
#include "framework/plan/sampler_settings.h"
#include "framework/store/evaluations.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

/// Optimizer steps that a train job still has to make: up to its last checkpoint that is not there.
std::int64_t steps_to_do(const Json& job, const std::vector<std::size_t>& work) {
  std::int64_t steps = 0;
  for (const std::size_t k : work) steps = std::max(steps, job.at("outputs")[k].at("step").get<std::int64_t>());
  return steps;
}

std::int64_t images_to_make(const Json& job, const std::vector<std::size_t>& work) {
  std::int64_t images = 0;
  for (const std::size_t k : work) {
    const Json& output = job.at("outputs")[k];
    images += output.contains("count") ? output.at("count").get<std::int64_t>()
                                       : static_cast<std::int64_t>(output.at("seeds").size());
  }
  return images;
}

/// All outputs where there is no store yet.
WorkToDo work_of(const Json& manifest, const Store* store) {
  if (store != nullptr) return work_to_do(manifest, *store);
  WorkToDo work;
  for (const Json& job : manifest.at("jobs")) {
    auto& outputs = work[job.at("id").get<std::int64_t>()];
    for (std::size_t k = 0; k < job.at("outputs").size(); ++k) outputs.push_back(k);
  }
  return work;
}

/// What a protocol says about its scores, as a manifest has it.
Json score_settings(const ProtocolSpec& protocol) {
  return {{"scoring", protocol.scoring}, {"reduction", protocol.reduction}};
}

}  // namespace

Known known_words(const PluginCatalog& plugins, const PromptCatalog& prompts) {
  Known known;
  for (const auto& plugin : plugins.all()) known.methods.push_back(plugin.method.name);
  known.method = [&plugins](const std::string& name) -> const MethodSpec* {
    const auto found = std::ranges::find(plugins.all(), name, [](const auto& plugin) { return plugin.method.name; });
    return found == plugins.all().end() ? nullptr : &found->method;
  };
  known.protocols = study_protocol_ids();
  known.has_prompt_list = [&prompts](const std::string& id) { return prompts.contains(id); };
  known.prompt_lists = [&prompts] { return prompts.ids(); };
  known.schedulers = sampler_schedulers();
  known.scheduler_settings = sampler_settings;
  known.protocol_settings = [](const std::string& id) { return scoring_settings(read_protocol(id)); };
  known.scores = [](const std::string& id) { return all_scores(id, score_settings(read_protocol(id))); };
  known.protocol_scheduler = [](const std::string& id) {
    return read_protocol(id).pictures.at("sampler").at("scheduler").get<std::string>();
  };
  known.concept_sets = {"concepts39", "dreambench"};
  known.concepts = [](const std::string& set) {
    std::vector<std::string> names;
    for (const auto& entry : read_concept_set(set)) names.push_back(entry.name);
    return names;
  };
  known.concept_sources = [](const std::string& set) {
    std::map<std::string, std::vector<std::string>> sources;
    for (const auto& entry : read_concept_set(set)) {
      if (!entry.source.empty()) sources[entry.source].push_back(entry.name);
    }
    return sources;
  };
  return known;
}

Json make_manifest(const Study& study, const PlanSources& sources) { return ManifestBuilder(study, sources).build(); }

Json plan_counts(const Json& manifest, const Store* store) {
  Json counts{{"runs", manifest.at("runs").size()},
              {"jobs", {{"total", manifest.at("jobs").size()}, {"cached", 0}}},
              {"train", {{"jobs", 0}, {"steps", 0}}},
              {"generate", {{"jobs", 0}, {"images", 0}}},
              {"sample", {{"jobs", 0}, {"images", 0}}},
              {"given", {{"jobs", 0}, {"images", 0}}},
              {"merge", {{"jobs", 0}}},
              {"mask", {{"jobs", 0}, {"images", 0}}},
              {"score", {{"jobs", 0}}}};
  const auto all = work_of(manifest, store);
  for (const Json& job : manifest.at("jobs")) {
    const auto found = all.find(job.at("id").get<std::int64_t>());
    if (found == all.end()) {
      counts["jobs"]["cached"] = counts["jobs"]["cached"].get<std::int64_t>() + 1;
      continue;
    }
    const auto& work = found->second;
    const std::string kind = job.at("kind").get<std::string>();
    auto& entry = counts[kind];
    entry["jobs"] = entry["jobs"].get<std::int64_t>() + 1;
    if (kind == "train") entry["steps"] = entry["steps"].get<std::int64_t>() + steps_to_do(job, work);
    if (kind == "sample" || kind == "generate" || kind == "given" || kind == "mask")
      entry["images"] = entry["images"].get<std::int64_t>() + images_to_make(job, work);
  }
  return counts;
}

}  // namespace atelier
