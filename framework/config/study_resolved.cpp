// A study with every default written out.
#include <algorithm>
#include <set>

#include "framework/config/study_parts.h"

namespace atelier {
namespace {

class Resolver {
 public:
  explicit Resolver(const Study& study) : study_(study) {
    for (const auto& cell : study.cells) {
      for (const auto& [key, value] : cell.assigned.items()) swept_[cell.label].insert(key);
      auto& known = options_[cell.label];
      if (seen_.emplace(cell.label, cell.options.identity()).second) known.push_back(cell.options.identity());
    }
  }

  Json resolve() const {
    auto out = study_.tree;
    out["methods"] = methods();
    const bool sweeps_seed = std::ranges::any_of(swept_, [](const auto& each) { return each.second.contains("seed"); });
    if (!study_.seeds_given && !sweeps_seed) out["seed"] = study_.seeds;
    if (!out.contains("sampler")) out["sampler"] = "published";
    out["sample_seed"] = study_.sample_seed;
    out["keep"] = study_.keep;
    out["placement"] = {{"device", study_.placement.device},
                        {"dtype", study_.placement.dtype},
                        {"threads", study_.placement.threads},
                        {"slots", study_.placement.slots}};
    out["snapshot"] = {{"every_steps", study_.snapshot.every_steps}, {"every_seconds", study_.snapshot.every_seconds}};
    if (study_.preview) out["preview"] = {{"every", study_.preview->every}, {"prompts", study_.preview->prompts}};
    out["fixed_loss"] = study_.fixed_loss;
    add_tables(out);
    if (study_.select) out["select"] = select_json(*study_.select);
    return out;
  }

 private:
  Json methods() const {
    auto out = Json::object();
    for (const auto& method : study_.methods) out[method.label] = one(method);
    return out;
  }

  Json one(const StudyMethod& method) const {
    if (!method.images.empty()) return {{"images", method.images}};
    if (method.merge) return merged(method);
    Json out = {{"method", method.method}, {"base", method.base}};
    if (!method.concepts.empty()) out["concepts"] = method.concepts;
    const auto swept = swept_.find(method.label);
    const bool fixed_preset = swept == swept_.end() || !swept->second.contains("preset");
    const auto* preset = find_preset(*method.spec, method.preset);
    if (fixed_preset && preset != nullptr) out["preset"] = preset->name;
    out["options"] = options(method);
    const auto& given = study_.tree.at("methods").at(method.label);
    if (given.contains("sampler")) out["sampler"] = given.at("sampler");
    return out;
  }

  Json merged(const StudyMethod& method) const {
    const auto& merge = *method.merge;
    Json out{{"merge",
              {{"subject", merge.subject},
               {"style", merge.style},
               {"weights", {merge.subject_weight, merge.style_weight}},
               {"as", merge.as},
               {"phrase", merge.phrase}}}};
    if (merge.rank) out["merge"]["rank"] = *merge.rank;
    const auto& given = study_.tree.at("methods").at(method.label);
    if (given.contains("sampler")) out["sampler"] = given.at("sampler");
    return out;
  }

  /// Options whose value all cells of the method share and feel; the sweep and the presets give the others.
  Json options(const StudyMethod& method) const {
    auto out = Json::object();
    const auto found = options_.find(method.label);
    if (found == options_.end()) return out;
    const auto swept = swept_.find(method.label);
    const Json& first = *found->second.front();
    for (const auto& option : method.spec->options) {
      if (swept != swept_.end() && swept->second.contains(option.name)) continue;
      const bool shared = std::ranges::all_of(found->second, [&](const Json* options) {
        return options->at(option.name) == first.at(option.name) &&
               no_effect_reason(*method.spec, option, *options).empty();
      });
      if (shared) out[option.name] = first.at(option.name);
    }
    return out;
  }

  void add_tables(Json& out) const {
    for (const auto& [name, table] : study_.tables) {
      auto& written = out["tables"][name];
      written["rows"] = table.rows;
      written["over"] = table.over;
    }
  }

  const Study& study_;
  std::map<std::string, std::set<std::string>> swept_;       // by label
  std::map<std::string, std::vector<const Json*>> options_;  // by label: each value once; borrowed
  std::set<std::pair<std::string, const Json*>> seen_;       // by label
};

}  // namespace

Json resolved_study(const Study& study) { return Resolver(study).resolve(); }

}  // namespace atelier
