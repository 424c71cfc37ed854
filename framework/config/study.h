#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/config/method_spec.h"
#include "framework/config/yaml.h"
#include "framework/core/shared_json.h"

namespace atelier {

/// What the words of a study can mean here: installed plugins and the product's data. The study borrows the specs.
struct Known {
  std::function<const MethodSpec*(const std::string&)> method;  ///< null for a name that no plugin has
  std::vector<std::string> methods;
  std::vector<std::string> protocols;
  std::function<bool(const std::string& id)> has_prompt_list;
  std::function<std::vector<std::string>()> prompt_lists;  ///< all ids: asked for when one is wrong
  std::vector<std::string> schedulers;
  /// Names of the settings of a protocol that a study may override; absent: any.
  std::function<std::vector<std::string>(const std::string& protocol)> protocol_settings;
  /// Names of the scores of a protocol; absent: any.
  std::function<std::vector<std::string>(const std::string& protocol)> scores;
  /// The scheduler that a protocol samples with.
  std::function<std::string(const std::string& protocol)> protocol_scheduler;
  /// The settings that a scheduler takes from a study; absent: any.
  std::function<std::vector<OptionSpec>(const std::string& scheduler)> scheduler_settings;
  std::vector<std::string> concept_sets;
  std::function<std::vector<std::string>(const std::string& set)> concepts;  ///< names, in the set's order
  /// Names by where the set has them from, where it says so: "custom_diffusion", "dreambooth".
  std::function<std::map<std::string, std::vector<std::string>>(const std::string& set)> concept_sources;
};

struct StudyConcept {
  std::string name;
  std::string path;                               ///< as written; "": the set's folder `name` under root
  std::map<std::string, std::string> class_word;  ///< by method label; "" for all others
  std::string initializer, kind;                  ///< "": what the concept's folder says
  std::string class_images;                       ///< a folder as written; "": what the concept's folder says
  SourcePosition at;
};

struct StudySampler {
  std::optional<std::string> scheduler;  ///< what is absent or empty stays as the method publishes it
  std::optional<std::int64_t> steps;
  std::vector<double> guidance;                        ///< several: pictures with each of them
  std::vector<std::optional<double>> reward_guidance;  ///< the same; without a value: no reward guidance
  Json settings = Json::object();
};

/// A subject's and a style's LoRA as one: "my subject in my style" (Lee et al. 2024, arXiv:2402.12004).
struct StudyMerge {
  std::string subject, style;  ///< labels of the methods that train them
  double subject_weight = 1, style_weight = 1;
  std::string as = "concat";                          ///< concat or svd
  std::optional<std::int64_t> rank;                   ///< of each layer, with svd
  std::string phrase = "{subject} in {style} style";  ///< what `{}` of a prompt becomes: the parts' phrases in it
  SourcePosition at, subject_at, style_at;
};

struct StudyMethod {
  std::string label;
  std::string method;                ///< the plugin's
  const MethodSpec* spec = nullptr;  ///< borrowed from Known; null for somebody else's pictures
  std::string base, preset;          ///< preset "": the first
  Json options = Json::object();     ///< chosen ones, flat
  std::map<std::string, SourcePosition> option_places;
  std::string images;                 ///< template of somebody else's pictures: "out/{concept}/{prompt}/{k}.png"
  std::optional<StudyMerge> merge;    ///< nothing is trained; method, spec and base are those of its subject
  std::vector<std::string> concepts;  ///< that it trains on; empty: all of the study
  std::optional<StudySampler> sampler;
  SourcePosition at, base_at, preset_at;
};

struct SweepValue {
  Json value;
  SourcePosition at, key_at;
};

/// Assignments made together: one point of an axis.
using SweepPoint = std::vector<std::pair<std::string, SweepValue>>;

/// One entry of the sweep. A `grid` has an axis per key, `zip` and `each` have one axis, `exclude` has none.
struct SweepItem {
  std::map<std::string, std::vector<SweepValue>> when;  ///< all keys must match one of their values
  std::vector<std::vector<SweepPoint>> axes;
  bool exclude = false;  ///< removes what matches `when`
  SourcePosition at;
};

struct StudyEvaluation {
  std::string name;  ///< in tables: "ti_code" of ti_code.clip_i; default: the protocol's id
  std::string protocol;
  std::optional<std::int64_t> images;  ///< per prompt
  std::string prompts;                 ///< list id; "": the protocol's
  std::optional<std::int64_t> size;    ///< pixels; absent: the base model's
  std::vector<std::string> encoders;   ///< roles that score; empty: all of the protocol's
  Json overrides = Json::object();     ///< the protocol's own settings
  SourcePosition at;
};

struct StudyPlacement {
  std::string device = "auto";  ///< auto, cpu, cuda, cuda:0,1
  std::string dtype = "float32";
  std::int64_t threads = 0;  ///< for each worker; 0: the machine's cores shared among the slots
  std::int64_t slots = 1;    ///< workers at a time: in no key
};

struct StudyPreview {
  std::int64_t every = 100;  ///< optimizer steps
  std::vector<std::string> prompts;
};

struct StudySnapshot {
  std::int64_t every_steps = 0;  ///< 0: by time only
  double every_seconds = 300.0;
};

struct StudyTable {
  std::vector<std::string> rows, columns, over;
  std::string compare_to;
  std::map<std::string, double> margins;  ///< of equivalence, by column or score
};

/// Which of a method's rows tables show: chosen on development concepts, by a rule that is fixed before (evaluation.md
/// 8.5).
struct StudySelect {
  std::vector<std::string> development;  ///< names of concepts
  std::string best;                      ///< column whose mean over these decides
  std::optional<std::int64_t> step;      ///< instead: a checkpoint
};

/// One cell of the sweep: what one run trains.
struct Cell {
  std::string label;                  ///< of the method
  std::string method;                 ///< plugin; "" for somebody else's pictures
  std::string base, preset, subject;  ///< subject: the concept's name
  std::int64_t seed = 0;
  Json chosen = Json::object();    ///< method's options and the sweep's, flat
  SharedJson options;              ///< resolved: default, preset, chosen; one value for all cells that agree in it
  Json assigned = Json::object();  ///< what the sweep set: the run's place among its siblings
  std::vector<Cell> parts;         ///< of a merged method: the subject's cell and the style's; else none
};

/// A study file, read: grammar, names and values are checked, and its sweep expands without fault.
struct Study {
  std::string name;
  std::string concept_set, root;
  std::vector<StudyConcept> concepts;  ///< after only and exclude
  std::vector<StudyMethod> methods;    ///< in file order
  std::vector<SweepItem> sweep;
  SourcePosition sweep_at;
  std::vector<std::int64_t> seeds = {0};
  bool seeds_given = false;
  std::map<std::string, std::vector<std::int64_t>> checkpoints;  ///< by label, ascending; absent: the last step only
  std::map<std::string, std::vector<SourcePosition>> checkpoint_places;
  std::vector<StudyEvaluation> evaluate;
  std::map<std::string, std::string> encoders;  ///< role -> name or path
  std::optional<StudySampler> sampler;          ///< absent: published
  std::int64_t sample_seed = 0;
  std::optional<std::int64_t> size;  ///< pixels of sampled pictures; absent: the base model's
  StudyPlacement placement;
  std::optional<StudyPreview> preview;
  std::int64_t fixed_loss = 0;  ///< timesteps and noises for each photo; 0: the loss on fixed photos is not measured
  StudySnapshot snapshot;
  std::string keep = "all";
  std::map<std::string, StudyTable> tables;
  std::optional<StudySelect> select;
  /// Every cell, in order of methods, concepts, seeds and sweep items; those of merged methods last.
  std::vector<Cell> cells;

  std::string file, text;              ///< as read
  std::vector<std::string> overrides;  ///< "a.b=c"
  Json tree;                           ///< file and overrides as one value
};

/// Reads and checks a study. Throws one Error (usage) with every fault of the file, each with its line and column (see
/// fault_lines); among them those of its sweep: unknown options, values they cannot have, options without effect, keys
/// assigned twice, duplicates, no cell left. `overrides` are "a.b=c".
[[nodiscard]] Study read_study(const std::string& text, const std::string& path,
                               const std::vector<std::string>& overrides, const Known& known);

/// The same for a tree that somebody built: faults name the places of its nodes.
[[nodiscard]] Study read_study(const YamlNode& root, const std::string& path, const Known& known);

/// {"development": […], "best": column} or {…, "step": n}.
[[nodiscard]] Json select_json(const StudySelect& select);

/// The study with every default filled in, as a value; pretty_json of it is a study again (JSON is YAML) that expands
/// to the same cells, in order of labels.
[[nodiscard]] Json resolved_study(const Study& study);

}  // namespace atelier
