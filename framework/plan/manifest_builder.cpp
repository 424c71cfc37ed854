#include "framework/plan/manifest_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/core/error.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// A path of the study file: `~/` is the user's folder, relative paths count from the study's.
fs::path resolved(const std::string& text, const fs::path& folder) {
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home != nullptr) return fs::path(home) / text.substr(2);
  return fs::path(text).is_absolute() ? fs::path(text) : folder / text;
}

std::string value_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "textreg ut.learning_rate=0.0001": the method and what sweep and sampler set, without concept and seed.
std::string label_of(const Cell& cell, const Json& sampling) {
  std::string label = cell.label;
  for (const Json* assigned : {&cell.assigned, &sampling}) {
    for (const auto& [name, value] : assigned->items()) {
      if (name != "seed") label += fmt::format(" {}={}", name, value_text(value));
    }
  }
  return label;
}

Json row_of(const Cell& cell, const Json& sampling) {
  Json row = cell.assigned;
  row.erase("seed");
  row["method"] = cell.label;
  row.update(sampling);
  return row;
}

}  // namespace

std::int64_t total_steps(const MethodSpec& spec, const Cell& cell) {
  std::int64_t total = 0;
  for (const StageSpec& stage : spec.stages) {
    if (hold(stage.runs_when, cell.options)) total += stage_steps(stage, cell.options);
  }
  return total;
}

ManifestBuilder::ManifestBuilder(const Study& study, const PlanSources& sources) : study_(study), sources_(sources) {
  const auto& placement = study.placement;
  threads_ = placement.threads == 0 ? std::max<std::int64_t>(sources.threads / placement.slots, 1) : placement.threads;
  device_ = placement.device == "auto" ? sources.device : placement.device;
  device_ = device_.substr(0, device_.find(','));  // one worker works on one device
  const std::string kind = device_.substr(0, device_.find(':'));
  numerics_class_ = {{"device", kind}, {"dtype", placement.dtype}};
  if (kind == "cpu") numerics_class_["threads"] = threads_;  // sums depend on it there alone
  if (sources.plugins.all().empty()) return;
  const std::string& torch = sources.plugins.all().front().torch;  // every usable plugin has the build's
  numerics_class_["torch"] = torch.substr(0, torch.rfind('.'));
}

Json ManifestBuilder::build() {
  read_concepts();
  for (const Cell& cell : study_.cells) add_cell(cell);
  std::set<std::string> bases;
  for (const Cell& cell : study_.cells) {
    if (!cell.base.empty()) bases.insert(cell.base);
  }
  if (!study_.evaluate.empty()) {
    for (const auto& base : bases) add_anchors(base);
  }
  Json resolved = resolved_study(study_);
  resolved["placement"]["device"] = device_;  // "auto" and 0 are others on another machine, and so are the keys
  resolved["placement"]["threads"] = threads_;
  Json tables = Json::object();
  for (const auto& [name, table] : study_.tables) {
    tables[name] = {
        {"rows", table.rows}, {"columns", table.columns}, {"over", table.over}, {"compare_to", table.compare_to}};
    if (!table.margins.empty()) tables[name]["margins"] = table.margins;
    if (study_.select) tables[name]["select"] = select_json(*study_.select);
  }
  Json manifest{{"schema", "atelier.manifest/2"},
                {"study", study_.name},
                {"yaml", study_.text},
                {"overrides", study_.overrides},
                {"placement",
                 {{"device", device_},
                  {"asked", study_.placement.device},
                  {"dtype", study_.placement.dtype},
                  {"threads", threads_},
                  {"slots", study_.placement.slots}}},
                {"protocols", protocols()},
                {"keep", study_.keep}};
  manifest["resolved"] = std::move(resolved);
  manifest["tables"] = std::move(tables);
  manifest["runs"] = std::move(runs_);  // the large ones: an initializer list would copy them
  manifest["jobs"] = std::move(jobs_);
  manifest["shared"] = shared_.take();
  return manifest;
}

void ManifestBuilder::read_concepts() {
  std::map<std::string, ConceptFacts> known;
  if (!study_.concept_set.empty()) {
    for (auto& entry : read_concept_set(study_.concept_set)) known[entry.name] = std::move(entry.facts);
  }
  Faults faults(study_.file);
  for (const StudyConcept& entry : study_.concepts) {
    const fs::path place = entry.path.empty() ? resolved(study_.root, sources_.folder) / entry.name
                                              : resolved(entry.path, sources_.folder);
    try {
      PlannedConcept read{.folder = read_concept(place, sources_.photos, known[entry.name]), .photos = {}};
      read.folder.name = entry.name;
      read.photos = read.folder.used_photos();
      concepts_.emplace(entry.name, std::move(read));
    } catch (const Error& error) {
      faults.add(entry.at, error.what(), "", "`atelier concepts check` looks at a folder of concepts");
    }
  }
  faults.raise();
}

const Json& ManifestBuilder::subject_of(const Cell& cell) {
  const auto [found, fresh] = subjects_.try_emplace({cell.label, cell.subject});
  if (fresh) found->second = read_subject(cell);
  return found->second;
}

Json ManifestBuilder::read_subject(const Cell& cell) const {
  const auto entry = std::ranges::find(study_.concepts, cell.subject, &StudyConcept::name);
  const ConceptFolder& folder = concepts_.at(cell.subject).folder;
  const auto said = [&](const std::string& label) { return entry->class_word.find(label); };
  std::string word;
  if (const auto own = said(cell.label); own != entry->class_word.end()) word = own->second;
  if (const auto all = said(""); word.empty() && all != entry->class_word.end()) word = all->second;
  if (word.empty()) word = folder.class_for(cell.method);
  const std::string initializer = entry->initializer.empty() ? folder.facts.initializer : entry->initializer;
  const std::string kind = entry->kind.empty() ? folder.facts.kind : entry->kind;
  return {{"name", cell.subject},
          {"class_word", word},
          {"initializer", initializer},
          {"kind", kind.empty() ? "object" : kind}};
}

void ManifestBuilder::change_sampler(Json& sampler, const std::optional<StudySampler>& chosen) {
  if (!chosen) return;
  if (chosen->scheduler && *chosen->scheduler != sampler["scheduler"]) sampler["settings"] = Json::object();
  if (chosen->scheduler) sampler["scheduler"] = *chosen->scheduler;
  if (chosen->steps) sampler["steps"] = *chosen->steps;
  sampler["settings"].update(chosen->settings);
}

std::vector<PlannedSampler> ManifestBuilder::samplers_of(const Cell& cell, const MethodSpec& spec) const {
  Json sampler{
      {"scheduler", spec.sampler.scheduler}, {"steps", spec.sampler.steps}, {"settings", spec.sampler.settings}};
  const auto entry = std::ranges::find(study_.methods, cell.label, &StudyMethod::label);
  change_sampler(sampler, study_.sampler);
  change_sampler(sampler, entry->sampler);
  std::vector<double> guidance{spec.sampler.guidance};
  std::vector<std::optional<double>> rewards{spec.sampler.reward_guidance};
  for (const auto* chosen : {&study_.sampler, &entry->sampler}) {
    if (!*chosen) continue;
    if (!(*chosen)->guidance.empty()) guidance = (*chosen)->guidance;
    if (!(*chosen)->reward_guidance.empty()) rewards = (*chosen)->reward_guidance;
  }
  std::vector<PlannedSampler> all;
  for (const double scale : guidance) {
    for (const auto& reward : rewards) {
      PlannedSampler one{.sampler = sampler};
      one.sampler["guidance"] = scale;
      if (reward) one.sampler["reward"] = *reward;
      if (guidance.size() > 1) one.row["guidance"] = scale;
      if (rewards.size() > 1) one.row["reward_guidance"] = reward ? Json(*reward) : Json("none");
      all.push_back(std::move(one));
    }
  }
  return all;
}

Json ManifestBuilder::checkpoints_of(const Cell& cell, std::int64_t total) const {
  const auto found = study_.checkpoints.find(cell.label);
  return found == study_.checkpoints.end() || found->second.empty() ? Json{total} : Json(found->second);
}

PlannedModel ManifestBuilder::model_of(const Cell& cell) {
  const PluginDescription& plugin = sources_.plugins.find(cell.method);
  PlannedModel model;
  model.label = cell.label;
  model.method = cell.method;
  model.plugin = &plugin;
  model.base = &base_of(*std::ranges::find(study_.methods, cell.label, &StudyMethod::label));
  model.options = opened_options(cell, plugin.method);
  model.subject = subject_of(cell);
  const PhraseRule& rule = phrase_rule(plugin.method, cell.options);
  const std::string word = model.subject.at("class_word").get<std::string>();
  model.phrase = phrase_of(rule.text, cell.options, word);
  model.base_phrase = phrase_of(rule.base, cell.options, word);
  return model;
}

void ManifestBuilder::add_runs(PlannedModel& model, const Cell& cell, const Json& checkpoint,
                               const std::vector<std::int64_t>& jobs) {
  for (PlannedSampler& sampling : samplers_of(cell, model.plugin->method)) {
    model.sampler = std::move(sampling.sampler);
    Json run{{"method", cell.label},
             {"concept", cell.subject},
             {"seed", cell.seed},
             {"preset", cell.preset},
             {"checkpoint", checkpoint},
             {"options", cell.chosen},
             {"label", label_of(cell, sampling.row)},
             {"row", row_of(cell, sampling.row)},
             {"train_jobs", jobs}};
    add_run(model, cell.subject, std::move(run));
  }
}

void ManifestBuilder::add_cell(const Cell& cell) {
  if (cell.method.empty()) return add_given(cell);
  if (!cell.parts.empty()) return add_merge(cell);
  const bool single = !study_.checkpoints.contains(cell.label);
  for (const Json& checkpoint : checkpoints_of(cell, total_steps(sources_.plugins.find(cell.method).method, cell))) {
    PlannedModel model = model_of(cell);
    std::vector<std::int64_t> jobs;
    plan_training(model, cell, checkpoint.get<std::int64_t>(), jobs);
    add_runs(model, cell, single ? Json() : checkpoint, jobs);
  }
}

const PlannedBase& ManifestBuilder::base_of(const StudyMethod& method) {
  const auto [found, fresh] = bases_.try_emplace(method.label);
  try {
    if (fresh) found->second = &sources_.models.base(resolved_model(method.base));
    return *found->second;
  } catch (const Error& error) {
    throw Error({.where = place_text(study_.file, method.base_at), .found = error.what()}, error.kind());
  }
}

const SharedJson& ManifestBuilder::opened_options(const Cell& cell, const MethodSpec& spec) {
  const auto [found, fresh] = opened_.try_emplace({cell.label, cell.options.identity()});
  if (!fresh) return found->second;
  Json options = *cell.options;
  for (const OptionSpec& option : spec.options) {
    Json& value = options[option.name];
    if (option.type != OptionType::file || !value.is_string()) continue;
    value = fs::absolute(resolved(value.get<std::string>(), sources_.folder)).lexically_normal().string();
  }
  return found->second = SharedJson(std::move(options));
}

const SharedPart& ManifestBuilder::deciding_part(const PlannedModel& model) {
  const auto [found, fresh] = deciding_.try_emplace(model.options.identity());
  if (fresh) {
    found->second = &identities_.part(
        {{"resolved",
          model.plugin == nullptr ? *model.options : deciding_options(model.plugin->method, model.options)}});
  }
  return *found->second;
}

fs::path ManifestBuilder::resolved_path(const std::string& text) const { return resolved(text, sources_.folder); }

std::string ManifestBuilder::resolved_model(const std::string& name) const {
  const fs::path beside = resolved(name, sources_.folder);
  const bool looks_like_path = name.starts_with("~/") || name.find('/') != std::string::npos;
  if (fs::exists(beside)) return fs::absolute(beside).lexically_normal().string();
  return looks_like_path && name.starts_with("~/") ? beside.string() : name;
}

void ManifestBuilder::add_run(const PlannedModel& model, const std::string& subject, Json run) {
  const auto training = run["train_jobs"].get<std::vector<std::int64_t>>();
  run.erase("train_jobs");
  Json identity = run;
  identity["base"] = model.base == nullptr ? Json() : Json(model.base->digest);
  identity["artifact"] = model.artifact;
  const std::string id = key_of_parts({&deciding_part(model)}, identity).substr(0, 12);
  run["id"] = id;
  run["artifacts"] = model.artifacts;
  for (const std::int64_t each : training) use(each, id);
  runs_.push_back(std::move(run));
  const auto needs = model.train_job < 0 ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{model.train_job};
  for (const StudyEvaluation& evaluation : study_.evaluate) evaluate(model, subject, evaluation, id, needs);
}

void ManifestBuilder::add_anchors(const std::string& base) {
  for (const StudyConcept& entry : study_.concepts) {
    Cell cell;
    cell.subject = entry.name;
    PlannedModel model;
    model.base = &sources_.models.base(resolved_model(base));
    model.subject = subject_of(cell);
    for (const bool with_class : {false, true}) {
      model.label = model.method = with_class ? "anchor:class_word" : "anchor:prompt_only";
      model.phrase = model.base_phrase = with_class ? model.subject.at("class_word").get<std::string>() : "";
      const std::string label =
          (with_class ? "class word (" : "prompt only (") + fs::path(base).filename().string() + ")";
      add_anchor(model, entry.name, label);
    }
  }
}

/// Once for each guidance of the common sampler. Reward guidance of a bare model is plain guidance.
void ManifestBuilder::add_anchor(PlannedModel& model, const std::string& subject, const std::string& label) {
  const auto chosen = study_.sampler ? study_.sampler->guidance : std::vector<double>{};
  for (std::size_t i = 0; i < std::max<std::size_t>(1, chosen.size()); ++i) {
    Json row{{"method", model.method}};
    std::string name = label;
    if (!chosen.empty()) model.guidance = chosen[i];
    if (chosen.size() > 1) {
      row["guidance"] = chosen[i];
      name += fmt::format(" guidance={}", Json(chosen[i]).dump());
    }
    add_run(model, subject,
            {{"method", model.method},
             {"concept", subject},
             {"seed", Json()},
             {"preset", ""},
             {"checkpoint", Json()},
             {"options", Json::object()},
             {"label", name},
             {"row", row},
             {"train_jobs", Json::array()}});
  }
}

Json ManifestBuilder::common_job(const PlannedModel& model) const {
  return {{"base", model.base == nullptr ? Json() : model.base->job},
          {"device", device_},
          {"dtype", numerics_class_.at("dtype")},
          {"threads", threads_},
          {"method", model.method},
          {"plugin",
           model.plugin == nullptr ? Json() : Json(fs::absolute(model.plugin->library).lexically_normal().string())},
          {"options", *model.options},
          {"concept", model.subject}};
}

Parts ManifestBuilder::common_parts(const PlannedModel& model) {
  const std::string base = model.base == nullptr ? "" : model.base->digest;
  const auto place = fmt::format("{}\n{}\n{}\n{}", model.label, model.subject.at("name").get_ref<const std::string&>(),
                                 base, static_cast<const void*>(model.options.identity()));
  const auto [found, fresh] = common_.try_emplace(place);
  if (!fresh) return found->second;
  Json members = common_job(model);
  members.erase("options");
  found->second = {&shared_.part(members), &shared_.part({{"options", *model.options}})};
  return found->second;
}

Json& ManifestBuilder::job(const std::string& identity, const std::string& kind, const std::vector<std::int64_t>& needs,
                           const std::string& base, Json content) {
  const auto [found, fresh] = job_index_.emplace(identity, static_cast<std::int64_t>(jobs_.size()));
  if (fresh) {
    jobs_.push_back({{"id", found->second},
                     {"kind", kind},
                     {"needs", needs},
                     {"runs", Json::array()},
                     {"base", base},
                     {"outputs", Json::array()},
                     {"job", std::move(content)}});
  }
  return jobs_.at(static_cast<std::size_t>(found->second));
}

void ManifestBuilder::use(std::int64_t index, const std::string& run) {
  // Runs are added one after another, so that one that is there already is the last.
  Json& runs = jobs_.at(static_cast<std::size_t>(index)).at("runs");
  if (runs.empty() || runs.back().get_ref<const std::string&>() != run) runs.push_back(run);
}

}  // namespace atelier
