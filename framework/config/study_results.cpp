// What a study asks for once something is trained: checkpoints, protocols, tables.
#include <fmt/format.h>

#include <algorithm>

#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

// Stable Diffusion's autoencoders make one latent of 8 × 8 pixels, and its networks halve latents three times.
constexpr std::int64_t kSideStep = 8, kSmallestSide = 64, kLargestSide = 4096;

void read_steps(const YamlNode& node, const std::string& path, const std::vector<std::string>& labels, Study& study,
                Faults& faults) {
  if (node.kind != YamlNode::Kind::list || node.items.empty()) {
    faults.add(node.at,
               path + ": " + (node.kind == YamlNode::Kind::list ? std::string("an empty list") : describe(node)),
               "a list of optimizer steps");
    return;
  }
  std::vector<std::int64_t> steps;
  std::vector<SourcePosition> places;
  for (const auto& item : node.items) {
    const auto step = yaml_integer(item, path, 0, kMaxStep, faults);
    if (!step) continue;
    if (!steps.empty() && *step <= steps.back()) {
      faults.add(item.at, fmt::format("{}: {} after {}", path, *step, steps.back()), "rising steps, each once");
      continue;
    }
    steps.push_back(*step);
    places.push_back(item.at);
  }
  for (const auto& label : labels) {
    study.checkpoints[label] = steps;
    study.checkpoint_places[label] = places;
  }
}

class EvaluationReader {
 public:
  EvaluationReader(const Known& known, Faults& faults) : known_(known), faults_(faults) {}

  StudyEvaluation read(const YamlNode& node, const std::string& path) {
    StudyEvaluation made;
    made.at = node.at;
    if (node.kind != YamlNode::Kind::map) {
      made.protocol = protocol(node, path);
    } else {
      read_map(node, path, made);
    }
    if (made.name.empty()) made.name = made.protocol;
    return made;
  }

 private:
  std::string protocol(const YamlNode& node, const std::string& path) {
    const auto id = yaml_text(node, path, faults_);
    if (!id) return "";
    if (std::ranges::count(known_.protocols, *id) > 0) return *id;
    add_unknown(node.at, path + ": no protocol", *id, known_.protocols, faults_);
    return "";
  }

  void read_map(const YamlNode& node, const std::string& path, StudyEvaluation& made) {
    if (const auto* entry = node.find("protocol")) {
      made.protocol = protocol(entry->value, path + ".protocol");
    } else {
      faults_.add(node.at, path + ": no protocol", "protocol: its id");
    }
    for (const auto& [key, at, value] : node.entries) {
      const auto where = path + "." + key;
      if (key == "name") {
        made.name = yaml_text(value, where, faults_).value_or("");
      } else if (key == "images") {
        made.images = yaml_integer(value, where, 1, 10000, faults_);
      } else if (key == "size") {
        made.size = read_size(value, where, faults_);
      } else if (key == "prompts") {
        read_prompts(value, where, made);
      } else if (key == "encoders") {
        made.encoders = yaml_texts(value, where, faults_);
      } else if (key != "protocol") {
        read_override(key, at, value, path, made);
      }
    }
  }

  void read_prompts(const YamlNode& node, const std::string& path, StudyEvaluation& made) {
    const auto id = yaml_text(node, path, faults_);
    if (!id) return;
    if (!known_.has_prompt_list(*id)) {
      add_unknown(node.at, path + ": no prompt list", *id, known_.prompt_lists(), faults_);
    } else {
      made.prompts = *id;
    }
  }

  void read_override(const std::string& key, const SourcePosition& at, const YamlNode& value, const std::string& path,
                     StudyEvaluation& made) {
    if (known_.protocol_settings && !made.protocol.empty()) {
      auto names = known_.protocol_settings(made.protocol);
      if (std::ranges::count(names, key) == 0) {
        names.insert(names.end(), {"protocol", "name", "images", "prompts", "size", "encoders"});
        add_unknown(at, path + ": unknown key", key, names, faults_);
        return;
      }
    }
    made.overrides[key] = yaml_json(value);
  }

  const Known& known_;
  Faults& faults_;
};

class TableReader {
 public:
  TableReader(const YamlNode& node, std::string path, const Known& known, const Study& study, Faults& faults)
      : map_(node, std::move(path), {"rows", "columns", "over", "compare_to", "margins"}, faults),
        node_(node),
        known_(known),
        study_(study),
        faults_(faults) {}

  StudyTable read() {
    StudyTable table;
    if (node_.kind != YamlNode::Kind::map) return table;
    table.rows = names("rows", {"method"});
    table.over = names("over", {"concept", "seed"});
    for (const auto& name : table.rows) {
      if (std::ranges::count(table.over, name) == 0) continue;
      const auto* over = map_.get("over") != nullptr ? map_.get("over") : &node_;
      faults_.add(over->at, fmt::format("{}: \"{}\" is also in rows", map_.path("over"), name), "one of the two");
    }
    read_columns(table);
    read_compare(table);
    read_margins(table);
    return table;
  }

 private:
  std::vector<std::string> axes() const {
    std::vector<std::string> known = {"method", "concept", "seed", "preset", "base", "checkpoint"};
    for (const auto& axis : sampling_axes()) known.push_back(axis);
    for (const auto& method : study_.methods) {
      if (method.merge) add_axes(*method.merge, known);
      if (method.spec == nullptr) continue;
      const auto options = option_names(*method.spec);
      known.insert(known.end(), options.begin(), options.end());
    }
    return known;
  }

  /// What tells merged runs of one subject apart: the style, and what the sweep sets of the two methods.
  void add_axes(const StudyMerge& merge, std::vector<std::string>& known) const {
    known.emplace_back("style");
    for (const auto& label : {merge.subject, merge.style}) {
      const auto* part = find_method(study_, label);
      if (part == nullptr || part->spec == nullptr) continue;
      for (const auto& option : option_names(*part->spec)) known.push_back(label + "." + option);
      known.push_back(label + ".preset");
    }
  }

  /// What a sampler gives several values of, so that rows differ in it.
  std::vector<std::string> sampling_axes() const {
    const auto several = [&](auto member) {
      const auto swept = [&](const std::optional<StudySampler>& sampler) {
        return sampler && (*sampler.*member).size() > 1;
      };
      return swept(study_.sampler) ||
             std::ranges::any_of(study_.methods, [&](const StudyMethod& method) { return swept(method.sampler); });
    };
    std::vector<std::string> axes;
    if (several(&StudySampler::guidance)) axes.emplace_back("guidance");
    if (several(&StudySampler::reward_guidance)) axes.emplace_back("reward_guidance");
    return axes;
  }

  std::vector<std::string> names(const char* key, std::vector<std::string> usual) {
    const auto* node = map_.get(key);
    if (node == nullptr) return usual;
    auto texts = yaml_texts(*node, map_.path(key), faults_);
    const auto known = axes();
    for (const auto& text : texts) {
      if (std::ranges::count(known, text) == 0)
        add_unknown(place(*node, text), map_.path(key) + ": no axis", text, known, faults_);
    }
    return texts;
  }

  static SourcePosition place(const YamlNode& node, const std::string& text) {
    const auto item = std::ranges::find(node.items, text, &YamlNode::text);
    return item == node.items.end() ? node.at : item->at;
  }

  void read_columns(StudyTable& table) {
    const auto* node = map_.get("columns");
    if (node == nullptr) {
      faults_.add(node_.at, map_.path("columns") + " is missing", "a list such as [ti_code.clip_i]");
      return;
    }
    table.columns = yaml_texts(*node, map_.path("columns"), faults_);
    for (const auto& column : table.columns) check_column(column, place(*node, column));
  }

  void check_column(const std::string& column, const SourcePosition& at) {
    static const std::vector<std::string> own = {"seconds", "minutes",     "parameters",
                                                 "bytes",   "peak_memory", "final_loss"};
    if (std::ranges::count(own, column) > 0) return;
    const auto dot = column.rfind('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == column.size()) {
      faults_.add(at, fmt::format("{}: \"{}\"", map_.path("columns"), column),
                  "protocol.metric, or one of " + join(own), column_advice(column, own));
      return;
    }
    const auto name = column.substr(0, dot);
    const auto evaluation = std::ranges::find(study_.evaluate, name, &StudyEvaluation::name);
    if (evaluation == study_.evaluate.end()) {
      std::vector<std::string> known;
      for (const auto& each : study_.evaluate) known.push_back(each.name);
      add_unknown(at, map_.path("columns") + ": nothing evaluated as", name, known, faults_);
      return;
    }
    const auto scores = scores_of(*evaluation);
    const auto score = column.substr(dot + 1);
    if (scores.empty() || std::ranges::count(scores, score) > 0) return;
    add_unknown(at, fmt::format("{}: {} has no score", map_.path("columns"), name), score, scores, faults_);
  }

  /// Empty: not known here.
  std::vector<std::string> scores_of(const StudyEvaluation& evaluation) const {
    return known_.scores && !evaluation.protocol.empty() ? known_.scores(evaluation.protocol)
                                                         : std::vector<std::string>();
  }

  /// For a column without an evaluation: the score of that name, else a name like it.
  std::string column_advice(const std::string& column, std::vector<std::string> names) const {
    for (const auto& evaluation : study_.evaluate) {
      for (const auto& score : scores_of(evaluation)) {
        names.push_back(evaluation.name + "." + score);
        if (score == column) return fmt::format("did you mean {}?", names.back());
      }
    }
    const auto near = nearest(column, names);
    return near.empty() ? "" : fmt::format("did you mean {}?", near);
  }

  void read_compare(StudyTable& table) {
    const auto* node = map_.get("compare_to");
    if (node == nullptr) return;
    const auto text = yaml_text(*node, map_.path("compare_to"), faults_);
    if (!text) return;
    table.compare_to = *text;
    const auto labels = method_labels(study_);
    if (find_method(study_, *text) == nullptr) {
      add_unknown(node->at, map_.path("compare_to") + ": no method", *text, labels, faults_);
    } else if (std::ranges::count(table.over, std::string("checkpoint")) == 0 && !shares_checkpoint(*text)) {
      faults_.add(node->at,
                  fmt::format("{}: {} has several checkpoints, and no other method has one of them",
                              map_.path("compare_to"), *text),
                  "a common checkpoint, or a method with a single one", "rows are compared at the same checkpoint");
    }
  }

  /// Numbers above 0 by column, or by score for every evaluation.
  void read_margins(StudyTable& table) {
    const auto* node = map_.get("margins");
    if (node == nullptr) return;
    if (node->kind != YamlNode::Kind::map) {
      faults_.add(node->at, map_.path("margins") + ": " + describe(*node), "a mapping such as {clip_i: 0.02}");
      return;
    }
    if (table.compare_to.empty()) {
      faults_.add(node->at, map_.path("margins") + " without compare_to", "what rows are compared with");
    }
    std::vector<std::string> known = table.columns;
    for (const auto& column : table.columns) known.push_back(column.substr(column.rfind('.') + 1));  // npos + 1 is 0
    for (const auto& [name, at, value] : node->entries) {
      const auto path = map_.path("margins") + "." + name;
      const auto margin = yaml_number(value, path, 0.0, faults_);
      if (margin && *margin <= 0.0) faults_.add(value.at, fmt::format("{}: {}", path, *margin), "a number above 0");
      if (margin) table.margins[name] = *margin;
      if (std::ranges::count(known, name) == 0) {
        add_unknown(at, map_.path("margins") + ": no column or score", name, known, faults_);
      }
    }
  }

  /// Rows of a method with several checkpoints are compared with those of the same one.
  bool shares_checkpoint(const std::string& label) const {
    const auto own = study_.checkpoints.find(label);
    if (own == study_.checkpoints.end() || own->second.size() < 2) return true;
    return std::ranges::any_of(study_.checkpoints, [&](const auto& other) {
      const auto common = [&](std::int64_t step) { return std::ranges::count(other.second, step) > 0; };
      return other.first != label && std::ranges::any_of(own->second, common);
    });
  }

  YamlMap map_;
  const YamlNode& node_;
  const Known& known_;
  const Study& study_;
  Faults& faults_;
};

}  // namespace

void read_checkpoints(const YamlNode& node, Study& study, Faults& faults) {
  if (node.kind != YamlNode::Kind::map) {
    std::vector<std::string> trained;
    for (const auto& method : study.methods) {
      if (method.images.empty() && !method.merge) trained.push_back(method.label);
    }
    return read_steps(node, "checkpoints", trained, study, faults);
  }
  for (const auto& entry : node.entries) {
    const auto* method = find_method(study, entry.key);
    if (method == nullptr) {
      add_unknown(entry.at, "checkpoints: no method", entry.key, method_labels(study), faults);
    } else if (!method->images.empty() || method->merge) {
      faults.add(entry.at, fmt::format("checkpoints: {} is not trained here", entry.key), "a trained method",
                 method->merge ? "a merge takes the last step of both its methods" : "");
    } else {
      read_steps(entry.value, "checkpoints." + entry.key, {entry.key}, study, faults);
    }
  }
}

void read_evaluate(const YamlNode& node, const Known& known, Study& study, Faults& faults) {
  if (node.kind != YamlNode::Kind::list || node.items.empty()) {
    faults.add(node.at,
               "evaluate: " + (node.kind == YamlNode::Kind::list ? std::string("an empty list") : describe(node)),
               "a list of protocols");
    return;
  }
  EvaluationReader reader(known, faults);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    auto made = reader.read(node.items[i], fmt::format("evaluate[{}]", i));
    if (made.name.empty()) continue;
    if (std::ranges::find(study.evaluate, made.name, &StudyEvaluation::name) != study.evaluate.end()) {
      faults.add(made.at, fmt::format("evaluate[{}]: \"{}\" twice", i, made.name), "each once",
                 "tell them apart: {protocol: id, name: …}");
      continue;
    }
    study.evaluate.push_back(std::move(made));
  }
}

std::optional<std::int64_t> read_size(const YamlNode& node, const std::string& path, Faults& faults) {
  const auto size = yaml_integer(node, path, kSmallestSide, kLargestSide, faults);
  if (!size || *size % kSideStep == 0) return size;
  faults.add(node.at, fmt::format("{}: {}", path, *size), fmt::format("a multiple of {}", kSideStep),
             fmt::format("{} or {} are the nearest", *size - *size % kSideStep, *size - *size % kSideStep + kSideStep));
  return std::nullopt;
}

void read_tables(const YamlNode& node, const Known& known, Study& study, Faults& faults) {
  if (node.kind != YamlNode::Kind::map) {
    faults.add(node.at, "tables: " + describe(node), "a mapping of names to tables");
    return;
  }
  for (const auto& entry : node.entries) {
    study.tables[entry.key] = TableReader(entry.value, "tables." + entry.key, known, study, faults).read();
  }
}

}  // namespace atelier
