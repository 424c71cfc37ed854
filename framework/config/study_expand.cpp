// The cells of a study.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "framework/config/path_template.h"
#include "framework/config/study_merge.h"
#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr std::size_t kMaxCells = 100000;

/// A cell that is being assembled, with the places of the sweep's assignments.
struct Draft {
  Cell cell;
  const StudyMethod* method = nullptr;
  std::map<std::string, SourcePosition> places;

  /// Where the option is set; null: nowhere in the file.
  [[nodiscard]] const SourcePosition* place_of(const std::string& option) const {
    if (const auto found = places.find(option); found != places.end()) return &found->second;
    const auto given = method->option_places.find(option);
    return given == method->option_places.end() ? nullptr : &given->second;
  }
  SourcePosition made_at;
};

/// What the options of drafts come to.
struct Resolution {
  SharedJson options;
  std::vector<OptionFault> faults;
};

class Expansion {
 public:
  Expansion(const Study& study, Faults& faults) : study_(study), faults_(faults) {}

  std::vector<Cell> run() {
    start();
    for (const auto& item : study_.sweep) apply(item);
    finish();
    std::vector<Cell> cells;
    cells.reserve(drafts_.size());
    for (auto& draft : drafts_) cells.push_back(std::move(draft.cell));
    if (faults_.empty()) add_merged_cells(study_, cells, faults_);
    return cells;
  }

 private:
  static bool has_seed(const StudyMethod& method) {
    if (method.images.empty()) return true;
    try {
      return PathTemplate(method.images, picture_path_fields()).has("seed");
    } catch (const Error&) {
      return false;  // a fault of the file, said where it was read
    }
  }

  static bool has_concept(const StudyMethod& method, const std::string& name) {
    return method.concepts.empty() || std::ranges::count(method.concepts, name) > 0;
  }

  void start() {
    for (const auto& method : study_.methods) {
      if (method.merge) continue;
      for (const auto& subject : study_.concepts) {
        if (!has_concept(method, subject.name)) continue;
        for (const auto seed : study_.seeds) {
          drafts_.push_back(make(method, subject.name, seed));
          if (!has_seed(method)) break;
        }
      }
    }
  }

  static Draft make(const StudyMethod& method, const std::string& subject, std::int64_t seed) {
    Draft draft;
    draft.method = &method;
    draft.made_at = method.at;
    draft.cell.label = method.label;
    draft.cell.method = method.images.empty() ? method.method : "";
    draft.cell.base = method.base;
    draft.cell.preset = effective_preset(method, method.preset);
    draft.cell.subject = subject;
    draft.cell.seed = seed;
    draft.cell.chosen = method.options;
    return draft;
  }

  static std::string effective_preset(const StudyMethod& method, const std::string& preset) {
    const auto* found = method.spec == nullptr ? nullptr : find_preset(*method.spec, preset);
    return found == nullptr ? preset : found->name;
  }

  /// Options of a draft as far as they are known, without a check. Many drafts share them.
  const Json& resolved(const Draft& draft) { return resolution(draft).options; }

  const Resolution& resolution(const Draft& draft) {
    const auto key = fmt::format("{}\n{}\n{}", draft.cell.label, draft.cell.preset, draft.cell.chosen.dump());
    const auto found = resolutions_.find(key);
    if (found != resolutions_.end()) return found->second;
    auto made = draft.method->spec == nullptr
                    ? ResolvedOptions{.options = Json::object(), .faults = {}}
                    : try_resolve_options(*draft.method->spec, draft.cell.preset, draft.cell.chosen, study_.file);
    const auto& options = values_.emplace(made.options.dump(), made.options).first->second;
    return resolutions_.emplace(key, Resolution{.options = options, .faults = std::move(made.faults)}).first->second;
  }

  bool matches(const Draft& draft, const std::string& key, const Json& value) {
    if (key == "method") return value == draft.cell.label;
    if (key == "concept") return value == draft.cell.subject;
    if (key == "seed") return value == draft.cell.seed;
    if (key == "preset") return value == draft.cell.preset;
    if (key == "base") return value == draft.cell.base;
    const auto& options = resolved(draft);
    const auto found = options.find(key);
    return found != options.end() && *found == value;
  }

  bool matches(const Draft& draft, const SweepItem& item) {
    return std::ranges::all_of(item.when, [&](const auto& condition) {
      return std::ranges::any_of(condition.second,
                                 [&](const SweepValue& value) { return matches(draft, condition.first, value.value); });
    });
  }

  void apply(const SweepItem& item) {
    std::vector<Draft> next;
    bool matched = false;
    for (auto& draft : drafts_) {
      if (!matches(draft, item)) {
        next.push_back(std::move(draft));
        continue;
      }
      matched = true;
      if (!item.exclude) multiply(draft, item, next);
      if (next.size() > kMaxCells) {
        faults_.add(item.at, fmt::format("more than {} cells", kMaxCells), "a smaller sweep");
        break;
      }
    }
    if (!matched && !drafts_.empty()) {
      faults_.add(item.at, item.exclude ? "sweep: exclude matches no cell" : "sweep: when matches no cell",
                  "a condition that holds for some cell", "conditions see what the items above have set");
    }
    drafts_ = std::move(next);
  }

  /// All combinations of the item's axes, the last one fastest.
  void multiply(const Draft& draft, const SweepItem& item, std::vector<Draft>& into) {
    std::vector<Draft> made = {draft};
    for (const auto& axis : item.axes) {
      std::vector<Draft> longer;
      for (const auto& each : made) {
        for (const auto& point : axis) {
          longer.push_back(each);
          longer.back().made_at = item.at;
          for (const auto& [key, value] : point) assign(longer.back(), key, value);
          const bool only_seed = point.size() == 1 && point[0].first == "seed";
          if (only_seed && !has_seed(*draft.method)) break;  // pictures without a seed are there once
          if (longer.size() > kMaxCells) break;
        }
      }
      made = std::move(longer);
    }
    for (auto& each : made) into.push_back(std::move(each));
  }

  void assign(Draft& draft, const std::string& key, const SweepValue& value) {
    auto& cell = draft.cell;
    if (!may_assign(draft, key, value)) return;
    draft.places[key] = value.at;
    cell.assigned[key] = value.value;
    if (key == "seed") {
      assign_seed(cell, value);
    } else if (key == "preset") {
      assign_preset(draft, value);
    } else {
      assign_option(draft, key, value);
    }
  }

  bool may_assign(const Draft& draft, const std::string& key, const SweepValue& value) {
    std::string earlier;
    if (draft.cell.assigned.contains(key)) earlier = "by an item of the sweep above";
    if (key == "seed" && study_.seeds_given) earlier = "at the top of the study";
    if (key == "preset" && !draft.method->preset.empty()) earlier = fmt::format("in methods.{}", draft.cell.label);
    if (draft.method->options.contains(key)) earlier = fmt::format("in methods.{}", draft.cell.label);
    if (earlier.empty()) return true;
    faults_.add(value.key_at, fmt::format("sweep: {} of {} is already set {}", key, draft.cell.label, earlier),
                "one place that sets it", "remove one of them, or narrow the item with when");
    return false;
  }

  void assign_seed(Cell& cell, const SweepValue& value) {
    if (value.value.is_number_integer() && value.value.get<std::int64_t>() >= 0) {
      cell.seed = value.value.get<std::int64_t>();
    } else {
      faults_.add(value.at, fmt::format("sweep: seed: {}", value.value.dump()), "an integer of at least 0");
    }
  }

  void assign_preset(Draft& draft, const SweepValue& value) {
    const auto& method = *draft.method;
    if (method.spec == nullptr) return add_no_options(method, "preset", value);
    const auto name = value.value.is_string() ? value.value.get<std::string>() : value.value.dump();
    if (!name.empty() && find_preset(*method.spec, name) != nullptr) {
      draft.cell.preset = name;
      return;
    }
    std::vector<std::string> names;
    for (const auto& preset : method.spec->presets) names.push_back(preset.name);
    add_unknown(value.at, fmt::format("sweep: {} has no preset", method.label), name, names, faults_);
  }

  void add_no_options(const StudyMethod& method, const std::string& key, const SweepValue& value) {
    if (method.images.empty()) return;  // a method that was not found: said already
    faults_.add(value.key_at, fmt::format("sweep: {} takes no {}: its pictures are somebody else's", method.label, key),
                "options of trained methods", "narrow the item with when: {method: …}");
  }

  void assign_option(Draft& draft, const std::string& key, const SweepValue& value) {
    const auto& method = *draft.method;
    if (method.spec == nullptr) return add_no_options(method, key, value);
    const auto* option = find_option(*method.spec, key);
    if (option == nullptr) return add_unknown_option(method, key, value);
    try {
      draft.cell.chosen[key] = check_value(*option, value.value, "");
      draft.cell.assigned[key] = draft.cell.chosen[key];
    } catch (const Error& error) {
      faults_.add(value.at, fmt::format("sweep: {}", error.fault().found), error.fault().expected,
                  error.fault().advice);
    }
  }

  void add_unknown_option(const StudyMethod& method, const std::string& key, const SweepValue& value) {
    std::vector<std::string> owners;
    for (const auto& other : study_.methods) {
      if (other.spec != nullptr && find_option(*other.spec, key) != nullptr) owners.push_back(other.label);
    }
    auto names = option_names(*method.spec);
    names.insert(names.end(), {"seed", "preset"});
    const auto near = nearest(key, names);
    auto advice = near.empty() ? std::string() : fmt::format("did you mean {}?", near);
    if (!owners.empty()) advice = fmt::format("narrow the item with when: {{method: {}}}", join(owners));
    faults_.add(
        value.key_at, fmt::format("sweep: {} has no option \"{}\"", method.label, key),
        near.empty() && owners.empty() ? "seed, preset or one of " + join(option_names(*method.spec), ", ", 20) : "",
        advice);
  }

  void finish() {
    if (drafts_.empty() && faults_.empty()) {
      faults_.add(study_.sweep_at, "sweep: no cell is left", "at least one", "remove an exclude");
    }
    std::set<Identity> seen;
    for (auto& draft : drafts_) {
      const auto& resolution = this->resolution(draft);
      draft.cell.options = resolution.options;
      for (const auto& [name, fault] : resolution.faults) {
        const auto* place = draft.place_of(name);
        faults_.add(place != nullptr ? *place : draft.method->at, fmt::format("{}: {}", draft.cell.label, fault.found),
                    fault.expected, fault.advice);
      }
      if (resolution.faults.empty()) check_steps(draft);
      check_duplicate(draft, seen);
    }
  }

  /// Of two cells that would be one run. Equal options are one value.
  using Identity = std::tuple<const StudyMethod*, std::string, std::int64_t, const Json*>;

  void check_duplicate(const Draft& draft, std::set<Identity>& seen) {
    const auto& cell = draft.cell;
    const Identity identity(draft.method, cell.subject, cell.seed, cell.options.identity());
    if (seen.insert(identity).second || !faults_.empty()) return;
    faults_.add(draft.made_at,
                fmt::format("sweep: {}, {}, seed {} twice with the same options", cell.label, cell.subject, cell.seed),
                "different cells", "the two would be one run: remove one of the values");
  }

  /// Global steps of all stages that run; a checkpoint lies within them.
  void check_steps(const Draft& draft) {
    if (draft.method->spec == nullptr) return;
    std::int64_t total = 0;
    for (const auto& stage : draft.method->spec->stages) {
      if (!hold(stage.runs_when, draft.cell.options)) continue;
      try {
        total += stage_steps(stage, draft.cell.options);
      } catch (const Error& error) {
        faults_.add(steps_place(draft, stage),
                    fmt::format("{}: {}: {}", draft.cell.label, error.fault().where, error.fault().found),
                    error.fault().expected, error.fault().advice);
        return;
      }
    }
    const auto steps = study_.checkpoints.find(draft.cell.label);
    if (steps == study_.checkpoints.end()) return;
    for (std::size_t i = 0; i < steps->second.size(); ++i) {
      if (steps->second[i] <= total) continue;
      faults_.add(study_.checkpoint_places.at(draft.cell.label)[i],
                  fmt::format("checkpoints.{}: step {}", draft.cell.label, steps->second[i]),
                  fmt::format("at most {}, the steps of the method", total), "");
    }
  }

  static SourcePosition steps_place(const Draft& draft, const StageSpec& stage) {
    for (const auto* names : {&stage.steps.add, &stage.steps.subtract}) {
      for (const auto& name : *names) {
        if (const auto* place = draft.place_of(name)) return *place;
      }
    }
    return draft.method->at;
  }

  const Study& study_;
  Faults& faults_;
  std::vector<Draft> drafts_;
  std::map<std::string, Resolution> resolutions_;
  std::map<std::string, SharedJson> values_;  // by their text
};

}  // namespace

std::vector<Cell> expand_into(const Study& study, Faults& faults) { return Expansion(study, faults).run(); }

}  // namespace atelier
