// How a study chooses among a method's rows: on which concepts, by what.
#include <fmt/format.h>

#include <algorithm>

#include "framework/config/study_parts.h"

namespace atelier {
namespace {

class SelectReader {
 public:
  SelectReader(const YamlNode& node, const Known& known, const Study& study, Faults& faults)
      : map_(node, "select", {"development", "best", "step"}, faults),
        node_(node),
        known_(known),
        study_(study),
        faults_(faults) {}

  std::optional<StudySelect> read() {
    if (node_.kind != YamlNode::Kind::map) return {};
    StudySelect made;
    read_development(made);
    const auto* best = map_.get("best");
    const auto* step = map_.get("step");
    if ((best == nullptr) == (step == nullptr)) {
      faults_.add(node_.at, best == nullptr ? "select: neither best nor step" : "select: both best and step",
                  "one of the two");
    }
    if (best != nullptr) read_best(*best, made);
    if (step != nullptr) read_step(*step, made);
    if (study_.tables.empty()) faults_.add(node_.at, "select without tables", "a table that shows what is chosen");
    return made;
  }

 private:
  void read_development(StudySelect& made) {
    const auto* node = map_.get("development");
    if (node == nullptr) {
      faults_.add(node_.at, "select: no development", "the concepts that the choice is made on");
      return;
    }
    if (node->kind == YamlNode::Kind::scalar) {
      made.development = part_of_set(*node);
      if (made.development.empty()) return;
    } else {
      made.development = yaml_texts(*node, map_.path("development"), faults_);
    }
    std::vector<std::string> names;
    for (const auto& each : study_.concepts) names.push_back(each.name);
    std::size_t found = 0;
    for (const auto& name : made.development) {
      if (std::ranges::count(names, name) > 0) {
        ++found;
      } else {
        add_unknown(node->at, map_.path("development") + ": no concept", name, names, faults_);
      }
    }
    if (!names.empty() && found >= names.size()) {
      faults_.add(node->at, map_.path("development") + ": every concept of the study",
                  "some that are left for the test");
    }
  }

  /// The study's concepts of one source of its published set.
  std::vector<std::string> part_of_set(const YamlNode& node) {
    const auto source = yaml_text(node, map_.path("development"), faults_);
    if (!source) return {};
    if (study_.concept_set.empty() || !known_.concept_sources) {
      faults_.add(node.at, map_.path("development") + ": " + *source,
                  "a list of concepts: only a published set has parts");
      return {};
    }
    const auto sources = known_.concept_sources(study_.concept_set);
    const auto found = sources.find(*source);
    if (found == sources.end()) {
      std::vector<std::string> known;
      for (const auto& [name, concepts] : sources) known.push_back(name);
      add_unknown(node.at, map_.path("development") + ": no part of " + study_.concept_set, *source, known, faults_);
      return {};
    }
    std::vector<std::string> names;
    for (const auto& each : study_.concepts) {
      if (std::ranges::count(found->second, each.name) > 0) names.push_back(each.name);
    }
    if (names.empty())
      faults_.add(node.at, map_.path("development") + ": " + *source, "a part that the study has concepts of");
    return names;
  }

  void read_best(const YamlNode& node, StudySelect& made) {
    const auto column = yaml_text(node, map_.path("best"), faults_);
    if (!column) return;
    made.best = *column;
    const auto dot = column->rfind('.');
    const auto name = dot == std::string::npos ? std::string() : column->substr(0, dot);
    const auto evaluation = std::ranges::find(study_.evaluate, name, &StudyEvaluation::name);
    if (evaluation == study_.evaluate.end()) {
      std::vector<std::string> known;
      for (const auto& each : study_.evaluate) known.push_back(each.name);
      add_unknown(node.at, map_.path("best") + ": nothing evaluated as", name, known, faults_);
      return;
    }
    if (!known_.scores || evaluation->protocol.empty()) return;
    const auto scores = known_.scores(evaluation->protocol);
    const auto score = column->substr(dot + 1);
    if (std::ranges::count(scores, score) == 0) {
      add_unknown(node.at, fmt::format("{}: {} has no score", map_.path("best"), name), score, scores, faults_);
    }
  }

  /// Every method with several checkpoints has it.
  void read_step(const YamlNode& node, StudySelect& made) {
    made.step = yaml_integer(node, map_.path("step"), 0, kMaxStep, faults_);
    if (!made.step) return;
    for (const auto& [label, steps] : study_.checkpoints) {
      if (std::ranges::count(steps, *made.step) > 0) continue;
      faults_.add(node.at, fmt::format("{}: {} has no checkpoint {}", map_.path("step"), label, *made.step),
                  "a checkpoint of every method");
    }
  }

  YamlMap map_;
  const YamlNode& node_;
  const Known& known_;
  const Study& study_;
  Faults& faults_;
};

}  // namespace

void read_select(const YamlNode& node, const Known& known, Study& study, Faults& faults) {
  study.select = SelectReader(node, known, study, faults).read();
}

Json select_json(const StudySelect& select) {
  Json json{{"development", select.development}};
  if (select.step) {
    json["step"] = *select.step;
  } else {
    json["best"] = select.best;
  }
  return json;
}

}  // namespace atelier
