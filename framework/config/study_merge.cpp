// Merged methods of a study: "my subject in my style".
#include "framework/config/study_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr std::size_t kMostCells = 100000;
constexpr std::int64_t kMaxRank = 1 << 20;

class MergeReader {
 public:
  MergeReader(const YamlNode& node, std::string path, Faults& faults)
      : map_(node, std::move(path), {"subject", "style", "weights", "as", "rank", "phrase"}, faults),
        node_(node),
        faults_(faults) {}

  StudyMerge read() {
    StudyMerge merge;
    merge.at = merge.subject_at = merge.style_at = node_.at;
    if (node_.kind != YamlNode::Kind::map) return merge;
    merge.subject = label("subject", merge.subject_at);
    merge.style = label("style", merge.style_at);
    if (const auto* node = map_.get("weights")) read_weights(*node, merge);
    read_form(merge);
    if (const auto* node = map_.get("phrase")) read_phrase(*node, merge);
    return merge;
  }

 private:
  std::string label(const char* key, SourcePosition& at) {
    const auto* node = map_.get(key);
    if (node == nullptr) {
      faults_.add(node_.at, map_.path(key) + " is missing",
                  fmt::format("the label of the method that trains the {}", key));
      return "";
    }
    at = node->at;
    return yaml_text(*node, map_.path(key), faults_).value_or("");
  }

  void read_weights(const YamlNode& node, StudyMerge& merge) {
    if (node.kind != YamlNode::Kind::list || node.items.size() != 2) {
      faults_.add(node.at, map_.path("weights") + ": " + describe(node), "two numbers: the subject's and the style's",
                  "[1, 1] adds both as they were trained");
      return;
    }
    constexpr auto kLowest = std::numeric_limits<double>::lowest();
    const auto first = yaml_number(node.items[0], map_.path("weights"), kLowest, faults_);
    const auto second = yaml_number(node.items[1], map_.path("weights"), kLowest, faults_);
    merge.subject_weight = first.value_or(1.0);
    merge.style_weight = second.value_or(1.0);
    if (merge.subject_weight == 0.0 && merge.style_weight == 0.0) {
      faults_.add(node.at, map_.path("weights") + ": both are 0", "at least one other than 0",
                  "that is the base model");
    }
  }

  void read_form(StudyMerge& merge) {
    const auto* as = map_.get("as");
    if (as != nullptr) {
      const auto text = yaml_text(*as, map_.path("as"), faults_);
      if (text && check_word(*as, map_.path("as"), *text, {"concat", "svd"}, faults_)) merge.as = *text;
    }
    const auto* rank = map_.get("rank");
    if (rank != nullptr) merge.rank = yaml_integer(*rank, map_.path("rank"), 1, kMaxRank, faults_);
    if (rank != nullptr && merge.as != "svd") {
      faults_.add(rank->at, map_.path("rank") + " without as: svd", "a rank with as: svd alone",
                  "concat has the sum of both ranks");
    } else if (rank == nullptr && merge.as == "svd") {
      faults_.add(as->at, map_.path("as") + ": svd without a rank", "rank: of each layer");
    }
  }

  void read_phrase(const YamlNode& node, StudyMerge& merge) {
    const auto text = yaml_text(node, map_.path("phrase"), faults_);
    if (!text) return;
    merge.phrase = *text;
    std::set<std::string> names;
    for (const auto& name : phrase_option_names({.when = {}, .text = *text, .base = {}})) names.insert(name);
    if (names != std::set<std::string>{"subject", "style"}) {
      faults_.add(node.at, fmt::format("{}: \"{}\"", map_.path("phrase"), *text),
                  "a text with {subject} and {style}, which become the phrases of both methods");
    }
  }

  YamlMap map_;
  const YamlNode& node_;
  Faults& faults_;
};

/// The method of a label; null, and a fault, where it can be no part of a merge.
const StudyMethod* merged_part(const Study& study, const StudyMethod& merged, const std::string& label,
                               const SourcePosition& at, Faults& faults) {
  if (label.empty()) return nullptr;
  const auto where = fmt::format("methods.{}.merge: ", merged.label);
  const auto* method = find_method(study, label);
  if (method == nullptr) {
    add_unknown(at, where + "no method", label, method_labels(study), faults);
  } else if (method->merge) {
    faults.add(at, fmt::format("{}{} is a merge itself", where, label), "a method that is trained here");
  } else if (!method->images.empty()) {
    faults.add(at, fmt::format("{}{} is another program's pictures", where, label), "a method that is trained here");
  } else if (method->spec != nullptr) {
    return method;
  }
  return nullptr;
}

void check_pair(const StudyMerge& merge, const StudyMethod& subject, const StudyMethod& style, const std::string& label,
                Faults& faults) {
  const auto where = fmt::format("methods.{}.merge: ", label);
  if (subject.label == style.label) {
    faults.add(merge.style_at, fmt::format("{}{} is subject and style", where, subject.label), "two methods",
               "give the plugin a second label, with concepts of its own: my_style: {method: …, concepts: […]}");
  }
  if (subject.base != style.base) {
    faults.add(merge.style_at,
               fmt::format("{}{} has the base {}, {} the base {}", where, style.label, style.base, subject.label,
                           subject.base),
               "two methods of one base model");
  }
}

/// Cells of a label, and whether they have one seed.
struct PartCells {
  std::vector<const Cell*> cells;
  bool single_seed = true;
};

class Products {
 public:
  Products(const Study& study, std::vector<Cell>& cells, Faults& faults)
      : study_(study), faults_(faults), cells_(cells) {
    for (const auto& cell : cells) {
      auto& part = parts_[cell.label];
      part.single_seed = part.single_seed && (part.cells.empty() || part.cells.front()->seed == cell.seed);
      part.cells.push_back(&cell);
    }
  }

  void run() {
    std::vector<Cell> made;
    for (const auto& method : study_.methods) {
      if (method.merge && !add(method, made)) return;
    }
    cells_.insert(cells_.end(), std::make_move_iterator(made.begin()), std::make_move_iterator(made.end()));
  }

 private:
  /// False when there are too many.
  bool add(const StudyMethod& method, std::vector<Cell>& made) {
    const auto& subjects = parts_[method.merge->subject];
    const auto& styles = parts_[method.merge->style];
    const auto before = made.size();
    for (const auto* subject : subjects.cells) {
      for (const auto* style : styles.cells) {
        const bool together = subject->seed == style->seed || subjects.single_seed || styles.single_seed;
        if (!together || !have_updates(method, {subject, style})) continue;
        made.push_back(merged(method, *subject, *style));
        // The seed that tells it from the others of the same concepts.
        if (subjects.single_seed && !styles.single_seed) made.back().seed = style->seed;
        if (made.size() + cells_.size() <= kMostCells) continue;
        faults_.add(method.at, fmt::format("methods.{}: more than {} cells", method.label, kMostCells),
                    "a smaller sweep");
        return false;
      }
    }
    if (made.size() == before && faults_.empty()) {
      faults_.add(method.merge->at,
                  fmt::format("methods.{}.merge: no cell of {} has a cell of {} beside it", method.label,
                              method.merge->subject, method.merge->style),
                  "common seeds, or a single seed of one of both");
    }
    return true;
  }

  bool have_updates(const StudyMethod& method, const std::vector<const Cell*>& parts) {
    bool all = true;
    for (const auto* cell : parts) {
      const auto& part = *find_method(study_, cell->label);
      if (learns_low_rank(*part.spec, cell->options)) continue;
      all = false;
      const bool subject = cell == parts.front();
      faults_.add(subject ? method.merge->subject_at : method.merge->style_at,
                  fmt::format("methods.{}.merge: {} learns no LoRA", method.label, cell->label),
                  "a method whose last stage learns low-rank updates",
                  fmt::format("`atelier plugins {}` says which stages and options it has", cell->method));
    }
    return all;
  }

  static Cell merged(const StudyMethod& method, const Cell& subject, const Cell& style) {
    Cell cell = subject;
    cell.label = method.label;
    cell.preset = "";
    cell.chosen = Json::object();
    cell.assigned = {{"style", style.subject}};
    for (const auto* part : {&subject, &style}) {
      for (const auto& [key, value] : part->assigned.items()) {
        if (key != "seed") cell.assigned[part->label + "." + key] = value;
      }
    }
    cell.parts = {subject, style};
    return cell;
  }

  const Study& study_;
  Faults& faults_;
  std::vector<Cell>& cells_;
  std::map<std::string, PartCells> parts_;
};

}  // namespace

StudyMerge read_merge(const YamlNode& node, const std::string& path, Faults& faults) {
  return MergeReader(node, path, faults).read();
}

void check_merges(Study& study, Faults& faults) {
  for (auto& method : study.methods) {
    if (!method.merge) continue;
    const auto& merge = *method.merge;
    const auto* subject = merged_part(study, method, merge.subject, merge.subject_at, faults);
    const auto* style = merged_part(study, method, merge.style, merge.style_at, faults);
    if (subject == nullptr || style == nullptr) continue;
    check_pair(merge, *subject, *style, method.label, faults);
    method.method = subject->method;
    method.spec = subject->spec;
    method.base = subject->base;
    method.base_at = subject->base_at;
    if (!method.sampler) method.sampler = subject->sampler;
  }
}

void add_merged_cells(const Study& study, std::vector<Cell>& cells, Faults& faults) {
  Products(study, cells, faults).run();
}

bool learns_low_rank(const MethodSpec& spec, const Json& options) {
  const StageSpec* last = nullptr;
  for (const auto& stage : spec.stages) {
    if (hold(stage.runs_when, options)) last = &stage;
  }
  const auto reads = [&](const char* name) { return std::ranges::count(last->reads, name) > 0; };
  return last != nullptr && (reads("rank") || reads("lora_rank"));
}

}  // namespace atelier
