// The top level of a study; its larger parts are read in study_*.cpp.
#include "framework/config/study.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

const std::vector<std::string>& study_keys() {
  static const std::vector<std::string> keys = {"study",       "concepts",    "methods",   "sweep",    "seed",
                                                "seeds",       "checkpoints", "evaluate",  "encoders", "sampler",
                                                "sample_seed", "size",        "placement", "preview",  "fixed_loss",
                                                "snapshot",    "keep",        "tables",    "select"};
  return keys;
}

class StudyReader {
 public:
  StudyReader(const YamlNode& root, const Known& known, Study& study, Faults& faults)
      : root_(root), map_(root, "", study_keys(), faults), known_(known), study_(study), faults_(faults) {}

  void run() {
    read_name();
    required("concepts", [&](const YamlNode& node) { read_concepts(node, known_, study_, faults_); });
    required("methods", [&](const YamlNode& node) { read_methods(node, known_, study_, faults_); });
    if (const auto* node = map_.get("sweep")) read_sweep(*node, study_, faults_);
    read_seeds();
    if (const auto* node = map_.get("checkpoints")) read_checkpoints(*node, study_, faults_);
    if (const auto* node = map_.get("evaluate")) read_evaluate(*node, known_, study_, faults_);
    read_encoders();
    read_common_sampler();
    read_numbers();
    read_placement();
    read_preview();
    read_snapshot();
    if (const auto* node = map_.get("keep")) word(*node, "keep", {"all", "small", "until_scored"}, study_.keep);
    if (const auto* node = map_.get("tables")) read_tables(*node, known_, study_, faults_);
    if (const auto* node = map_.get("select")) read_select(*node, known_, study_, faults_);
    if (const auto* node = map_.get("concepts")) check_class_labels(*node, study_, faults_);
    check_sampler_settings(root_, known_, study_, faults_);
  }

 private:
  template <typename Read>
  void required(const char* key, Read read) {
    if (const auto* node = map_.get(key)) return read(*node);
    faults_.add(root_.at, fmt::format("no key \"{}\"", key), "a study with study, concepts and methods");
  }

  void word(const YamlNode& node, const std::string& path, const std::vector<std::string>& words, std::string& into) {
    const auto text = yaml_text(node, path, faults_);
    if (text && check_word(node, path, *text, words, faults_)) into = *text;
  }

  /// Names become folders and keys of tables.
  static bool is_name(const std::string& text) {
    return text.size() <= 100 && text[0] != '.' && std::ranges::all_of(text, [](unsigned char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '-' || c == '.';
           });
  }

  void read_name() {
    required("study", [&](const YamlNode& node) {
      const auto name = yaml_text(node, "study", faults_);
      if (!name) return;
      if (!is_name(*name)) faults_.add(node.at, fmt::format("study: \"{}\"", *name), "letters, digits, _, - and .");
      study_.name = *name;
    });
  }

  void read_seeds() {
    const auto* one = map_.get("seed");
    const auto* many = map_.get("seeds");
    if (one != nullptr && many != nullptr) faults_.add(many->at, "both seed and seeds", "one of the two");
    const auto* node = one != nullptr ? one : many;
    if (node == nullptr) return;
    const std::string path = one != nullptr ? "seed" : "seeds";
    study_.seeds.clear();
    study_.seeds_given = true;
    if (node->kind != YamlNode::Kind::list) {
      if (const auto seed = yaml_integer(*node, path, 0, kMaxSeed, faults_)) study_.seeds.push_back(*seed);
      return;
    }
    if (node->items.empty()) faults_.add(node->at, path + ": an empty list", "at least one seed");
    for (const auto& item : node->items) {
      const auto seed = yaml_integer(item, path, 0, kMaxSeed, faults_);
      if (!seed) continue;
      if (std::ranges::count(study_.seeds, *seed) > 0) {
        faults_.add(item.at, fmt::format("{}: {} twice", path, *seed), "each seed once");
      } else {
        study_.seeds.push_back(*seed);
      }
    }
  }

  void read_encoders() {
    const auto* node = map_.get("encoders");
    if (node == nullptr) return;
    if (node->kind != YamlNode::Kind::map) {
      faults_.add(node->at, "encoders: " + describe(*node), "a mapping of roles to names or paths");
    }
    for (const auto& entry : node->entries) {
      if (auto text = yaml_text(entry.value, "encoders." + entry.key, faults_)) study_.encoders[entry.key] = *text;
    }
  }

  void read_common_sampler() {
    const auto* node = map_.get("sampler");
    if (node == nullptr) return;
    if (node->kind == YamlNode::Kind::scalar && node->text == "published") return;
    if (node->kind != YamlNode::Kind::map) {
      faults_.add(node->at, "sampler: " + describe(*node), "published, or a mapping with scheduler, steps, guidance");
      return;
    }
    study_.sampler = read_sampler(*node, "sampler", known_, faults_);
  }

  void read_numbers() {
    if (const auto* node = map_.get("sample_seed")) {
      study_.sample_seed = yaml_integer(*node, "sample_seed", 0, kMaxSeed, faults_).value_or(0);
    }
    if (const auto* node = map_.get("fixed_loss")) {
      study_.fixed_loss = yaml_integer(*node, "fixed_loss", 0, 1000, faults_).value_or(0);
    }
    if (const auto* node = map_.get("size")) study_.size = read_size(*node, "size", faults_);
  }

  void read_placement() {
    const auto* node = map_.get("placement");
    if (node == nullptr) return;
    const YamlMap map(*node, "placement", {"device", "dtype", "threads", "slots"}, faults_);
    if (const auto* device = map.get("device")) {
      if (auto text = yaml_text(*device, "placement.device", faults_)) {
        if (!is_device(*text)) {
          faults_.add(device->at, fmt::format("placement.device: \"{}\"", *text), "auto, cpu, cuda or cuda:0,1");
        }
        study_.placement.device = *text;
      }
    }
    if (const auto* dtype = map.get("dtype")) {
      if (dtype->text == "float16" || dtype->text == "fp16") {
        faults_.add(dtype->at, "placement.dtype: \"" + dtype->text + "\"", "one of float32, bfloat16",
                    "training in fp16 needs loss scaling: use bfloat16");
      } else {
        word(*dtype, "placement.dtype", {"float32", "bfloat16"}, study_.placement.dtype);
      }
    }
    if (const auto* threads = map.get("threads")) {
      study_.placement.threads = yaml_integer(*threads, "placement.threads", 0, 1024, faults_).value_or(0);
    }
    if (const auto* slots = map.get("slots")) {
      study_.placement.slots = yaml_integer(*slots, "placement.slots", 1, 256, faults_).value_or(1);
    }
  }

  static bool is_device(const std::string& text) {
    if (text == "auto" || text == "cpu" || text == "cuda") return true;
    if (!text.starts_with("cuda:") || text.size() == 5 || text.back() == ',') return false;
    const auto list = text.substr(5);
    return list[0] != ',' && list.find(",,") == std::string::npos &&
           list.find_first_not_of("0123456789,") == std::string::npos;
  }

  void read_preview() {
    const auto* node = map_.get("preview");
    if (node == nullptr) return;
    const YamlMap map(*node, "preview", {"every", "prompts"}, faults_);
    StudyPreview preview;
    if (const auto* every = map.get("every")) {
      preview.every = yaml_integer(*every, "preview.every", 1, kMaxStep, faults_).value_or(100);
    }
    if (const auto* prompts = map.get("prompts")) {
      preview.prompts = yaml_texts(*prompts, "preview.prompts", faults_);
    } else if (node->kind == YamlNode::Kind::map) {
      faults_.add(node->at, "preview: no prompts", "prompts: a list of texts with {} for the concept");
    }
    study_.preview = preview;
  }

  void read_snapshot() {
    const auto* node = map_.get("snapshot");
    if (node == nullptr) return;
    const YamlMap map(*node, "snapshot", {"every_steps", "every_seconds"}, faults_);
    auto& snapshot = study_.snapshot;
    if (const auto* steps = map.get("every_steps")) {
      snapshot.every_steps = yaml_integer(*steps, "snapshot.every_steps", 0, kMaxStep, faults_).value_or(0);
    }
    if (const auto* seconds = map.get("every_seconds")) {
      snapshot.every_seconds = yaml_number(*seconds, "snapshot.every_seconds", 0.0, faults_).value_or(300.0);
    }
  }

  const YamlNode& root_;
  YamlMap map_;
  const Known& known_;
  Study& study_;
  Faults& faults_;
};

/// Throws when there are faults, those that are there already among them.
void read_tree(const YamlNode& root, const Known& known, Study& study, Faults& faults) {
  study.file = faults.file();
  if (root.kind == YamlNode::Kind::map) {
    StudyReader(root, known, study, faults).run();
    study.cells = expand_into(study, faults);
  } else {
    faults.add(root.at, describe(root), "a mapping with study, concepts and methods");
  }
  faults.raise();
}

}  // namespace

bool check_word(const YamlNode& node, const std::string& path, const std::string& word,
                const std::vector<std::string>& words, Faults& faults) {
  if (std::ranges::count(words, word) > 0) return true;
  add_unknown(node.at, path + ":", word, words, faults);
  return false;
}

Study read_study(const YamlNode& root, const std::string& path, const Known& known) {
  Faults faults(path);
  Study study;
  study.tree = yaml_json(root);
  study.text = pretty_json(study.tree);
  read_tree(root, known, study, faults);
  return study;
}

Study read_study(const std::string& text, const std::string& path, const std::vector<std::string>& overrides,
                 const Known& known) {
  Faults faults(path);
  auto root = parse_yaml(text, faults);
  if (!faults.empty() && root.kind != YamlNode::Kind::map) faults.raise();
  if (root.kind == YamlNode::Kind::null) root.at = {.line = 1, .column = 1};
  for (std::size_t i = 0; i < overrides.size(); ++i) apply_override(root, overrides[i], i, faults);
  Study study;
  study.text = text;
  study.overrides = overrides;
  study.tree = yaml_json(root);
  read_tree(root, known, study, faults);
  return study;
}

}  // namespace atelier
