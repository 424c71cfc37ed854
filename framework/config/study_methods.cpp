#include <fmt/format.h>

#include <algorithm>

#include "framework/config/path_template.h"
#include "framework/config/study_merge.h"
#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

const std::vector<std::string>& method_keys() {
  static const std::vector<std::string> keys = {"method", "base",  "preset",   "options",
                                                "images", "merge", "concepts", "sampler"};
  return keys;
}

class MethodReader {
 public:
  MethodReader(const YamlEntry& entry, const Known& known, const Study& study, Faults& faults)
      : node_(entry.value), path_("methods." + entry.key), known_(known), study_(study), faults_(faults) {
    made_.label = entry.key;
    made_.at = entry.at;
    made_.preset_at = entry.at;
  }

  StudyMethod read() {
    if (node_.kind != YamlNode::Kind::map) {
      faults_.add(node_.at, path_ + ": " + describe(node_), "a mapping with base, with images or with merge");
      return made_;
    }
    if (const auto* merge = node_.find("merge")) {
      made_.merge = read_merge(merge->value, path_ + ".merge", faults_);
      for (const auto& entry : node_.entries) read_beside_merge(entry);
      return made_;
    }
    if (const auto* images = node_.find("images")) {
      read_images(images->value);
    } else {
      read_plugin();
      read_base();
    }
    for (const auto& entry : node_.entries) read_entry(entry);
    return made_;
  }

 private:
  const YamlNode* get(std::string_view key) const {
    const auto* entry = node_.find(key);
    return entry == nullptr ? nullptr : &entry->value;
  }

  void read_images(const YamlNode& node) {
    const auto text = yaml_text(node, path_ + ".images", faults_);
    if (!text) return;
    made_.images = *text;
    try {
      const PathTemplate place(*text, picture_path_fields());
      for (const auto* field : {"concept", "prompt", "k"}) {
        if (place.has(field)) continue;
        faults_.add(node.at, fmt::format("{}.images: no {{{}}}", path_, field),
                    "a path with {concept}, {prompt} and {k}");
      }
    } catch (const Error& error) {
      faults_.add(node.at, fmt::format("{}.images: {}", path_, error.fault().found), error.fault().expected);
    }
  }

  void read_beside_merge(const YamlEntry& entry) {
    if (entry.key == "merge") return;
    if (entry.key == "sampler") {
      made_.sampler = read_sampler(entry.value, path_ + ".sampler", known_, faults_);
      return;
    }
    faults_.add(entry.at, fmt::format("{}: {} beside merge", path_, entry.key), "merge alone, or with a sampler",
                "nothing is trained for a merge: options and concepts belong to its two methods");
  }

  void read_concepts(const YamlNode& node) {
    std::vector<std::string> known;
    for (const auto& each : study_.concepts) known.push_back(each.name);
    const auto path = path_ + ".concepts";
    if (node.kind == YamlNode::Kind::list && node.items.empty()) {
      faults_.add(node.at, path + ": an empty list", "names of concepts", "without it the method has them all");
    }
    for (const auto& name : yaml_texts(node, path, faults_)) {
      const auto item = std::ranges::find(node.items, name, &YamlNode::text);
      if (std::ranges::count(known, name) > 0) {
        made_.concepts.push_back(name);
      } else if (!known.empty()) {  // without any, the study's own are wrong
        add_unknown(item == node.items.end() ? node.at : item->at, path + ": no concept", name, known, faults_);
      }
    }
  }

  void read_plugin() {
    const auto* node = get("method");
    made_.method = node == nullptr ? made_.label : yaml_text(*node, path_ + ".method", faults_).value_or("");
    if (made_.method.empty()) return;
    made_.spec = known_.method(made_.method);
    if (made_.spec != nullptr) return;
    add_unknown(node == nullptr ? made_.at : node->at, path_ + ": no installed method", made_.method, known_.methods,
                faults_);
  }

  void read_base() {
    const auto* node = get("base");
    if (node == nullptr) {
      faults_.add(node_.at, path_ + ": no base", "base: a model's name or path, as sd15");
    } else {
      made_.base_at = node->at;
      made_.base = yaml_text(*node, path_ + ".base", faults_).value_or("");
    }
  }

  void read_entry(const YamlEntry& entry) {
    const auto& key = entry.key;
    if (key == "images" || (key == "base" && made_.images.empty())) return;
    if (key == "method" && made_.images.empty()) return;
    if (key == "sampler" && made_.images.empty()) {
      made_.sampler = read_sampler(entry.value, path_ + ".sampler", known_, faults_);
    } else if (!made_.images.empty() || node_.find("images") != nullptr) {
      faults_.add(entry.at, fmt::format("{}: {} beside images", path_, key), "images alone",
                  "nothing is trained or sampled for somebody else's pictures");
    } else if (key == "preset") {
      read_preset(entry.value);
    } else if (key == "concepts") {
      read_concepts(entry.value);
    } else if (key == "options") {
      read_options(entry.value);
    } else {
      read_option(entry, path_);
    }
  }

  void read_preset(const YamlNode& node) {
    made_.preset_at = node.at;
    const auto text = yaml_text(node, path_ + ".preset", faults_);
    if (!text || made_.spec == nullptr) return;
    if (find_preset(*made_.spec, *text) != nullptr) {
      made_.preset = *text;
      return;
    }
    std::vector<std::string> names;
    for (const auto& preset : made_.spec->presets) names.push_back(preset.name);
    add_unknown(node.at, fmt::format("{}: {} has no preset", path_, made_.method), *text, names, faults_);
  }

  void read_options(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::map) {
      faults_.add(node.at, path_ + ".options: " + describe(node), "a mapping of options to values");
    }
    for (const auto& entry : node.entries) read_option(entry, path_ + ".options");
  }

  bool is_stage(const std::string& name) const {
    return std::ranges::any_of(made_.spec->stages, [&](const StageSpec& stage) { return stage.name == name; });
  }

  /// `ut.learning_rate: 1e-4`, or `ut: {learning_rate: 1e-4}`.
  void read_option(const YamlEntry& entry, const std::string& path) {
    if (made_.spec == nullptr) return;
    if (entry.value.kind == YamlNode::Kind::map && is_stage(entry.key)) {
      for (const auto& inner : entry.value.entries) add_option(entry.key + "." + inner.key, inner, path);
    } else {
      add_option(entry.key, entry, path);
    }
  }

  void add_option(const std::string& name, const YamlEntry& entry, const std::string& path) {
    if (made_.options.contains(name)) {
      faults_.add(entry.at, fmt::format("{}: the option \"{}\" twice", path, name), "each option once",
                  fmt::format("it stands first in line {}", made_.option_places[name].line));
      return;
    }
    const auto* option = find_option(*made_.spec, name);
    if (option == nullptr) return unknown(name, entry, path);
    try {
      // Checked here, where the file's own words are at hand; the expansion sees the result.
      made_.options[name] = check_value(*option, yaml_json(entry.value), "");
      made_.option_places[name] = entry.at;
    } catch (const Error& error) {
      const auto advice = yaml_advice(entry.value);
      faults_.add(entry.value.at, fmt::format("{}: {}", path, error.fault().found), error.fault().expected,
                  advice.empty() ? error.fault().advice : advice);
    }
  }

  void unknown(const std::string& name, const YamlEntry& entry, const std::string& path) {
    auto names = option_names(*made_.spec);
    if (path == path_) names.insert(names.end(), method_keys().begin(), method_keys().end());
    const auto near = nearest(name, names);
    faults_.add(entry.at, fmt::format("{}: {} has no option \"{}\"", path, made_.method, name),
                near.empty() ? "one of " + join(names, ", ", 20) : "",
                near.empty() ? "" : fmt::format("did you mean {}?", near));
  }

  StudyMethod made_;
  const YamlNode& node_;
  std::string path_;
  const Known& known_;
  const Study& study_;  // its concepts are read
  Faults& faults_;
};

}  // namespace

void read_methods(const YamlNode& node, const Known& known, Study& study, Faults& faults) {
  if (node.kind != YamlNode::Kind::map || node.entries.empty()) {
    faults.add(node.at, "methods: " + (node.kind == YamlNode::Kind::map ? std::string("empty") : describe(node)),
               "a mapping of labels to methods");
    return;
  }
  for (const auto& entry : node.entries) {
    if (entry.key.find_first_of(" /,:{}") != std::string::npos) {
      faults.add(entry.at, fmt::format("methods: the label \"{}\"", entry.key), "letters, digits, _, - and .");
    }
    study.methods.push_back(MethodReader(entry, known, study, faults).read());
  }
  check_merges(study, faults);
}

const StudyMethod* find_method(const Study& study, std::string_view label) {
  const auto found = std::ranges::find(study.methods, label, &StudyMethod::label);
  return found == study.methods.end() ? nullptr : &*found;
}

std::vector<std::string> method_labels(const Study& study) {
  std::vector<std::string> labels;
  for (const auto& method : study.methods) labels.push_back(method.label);
  return labels;
}

}  // namespace atelier
