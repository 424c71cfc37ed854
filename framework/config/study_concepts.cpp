#include <fmt/format.h>

#include <algorithm>

#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

std::vector<std::string> names_of(const std::vector<StudyConcept>& concepts) {
  std::vector<std::string> names;
  for (const auto& each : concepts) names.push_back(each.name);
  return names;
}

std::string last_part(const std::string& path) {
  const auto end = path.find_last_not_of('/');
  if (end == std::string::npos) return "";
  const auto begin = path.rfind('/', end);
  return path.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

class ConceptReader {
 public:
  ConceptReader(const Known& known, Study& study, Faults& faults) : known_(known), study_(study), faults_(faults) {}

  void from_list(const YamlNode& node, const std::string& path) {
    if (node.items.empty()) faults_.add(node.at, path + ": an empty list", "at least one concept");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      add(from_item(node.items[i], fmt::format("{}[{}]", path, i)), path);
    }
  }

  void from_map(const YamlNode& node) {
    const YamlMap map(node, "concepts", {"set", "root", "list", "only", "exclude", "class"}, faults_);
    const auto* set = map.get("set");
    const auto* list = map.get("list");
    if ((set == nullptr) == (list == nullptr)) {
      faults_.add(node.at, set == nullptr ? "concepts: neither set nor list" : "concepts: both set and list",
                  "one of the two");
    }
    if (const auto* root = map.get("root")) study_.root = yaml_text(*root, "concepts.root", faults_).value_or("");
    if (list != nullptr) {
      if (list->kind == YamlNode::Kind::list) {
        from_list(*list, "concepts.list");
      } else {
        faults_.add(list->at, "concepts.list: " + describe(*list), "a list of concepts");
      }
    } else if (set != nullptr) {
      from_set(*set);
    }
    if (const auto* words = map.get("class")) class_words(*words);
    select(map);
  }

 private:
  void from_set(const YamlNode& node) {
    const auto name = yaml_text(node, "concepts.set", faults_);
    if (!name || !check_word(node, "concepts.set", *name, known_.concept_sets, faults_)) return;
    study_.concept_set = *name;
    for (auto& each : known_.concepts(*name)) {
      StudyConcept made;
      made.name = std::move(each);
      made.at = node.at;
      study_.concepts.push_back(std::move(made));
    }
  }

  StudyConcept from_item(const YamlNode& node, const std::string& path) {
    StudyConcept made;
    made.at = node.at;
    if (node.kind == YamlNode::Kind::scalar) {
      const auto text = yaml_text(node, path, faults_).value_or("");
      made.name = last_part(text);
      if (text.find('/') != std::string::npos) made.path = text;
      return made;
    }
    const YamlMap map(node, path, {"name", "path", "class", "initializer", "kind", "class_images"}, faults_);
    if (const auto* value = map.get("path")) made.path = yaml_text(*value, map.path("path"), faults_).value_or("");
    if (const auto* value = map.get("name")) {
      made.name = yaml_text(*value, map.path("name"), faults_).value_or("");
    } else {
      made.name = last_part(made.path);
      if (made.path.empty() && node.kind == YamlNode::Kind::map) {
        faults_.add(node.at, path + ": neither name nor path", "a concept's name or folder");
      }
    }
    if (const auto* value = map.get("class")) made.class_word = words_of(*value, map.path("class"));
    if (const auto* value = map.get("initializer")) {
      made.initializer = yaml_text(*value, map.path("initializer"), faults_).value_or("");
    }
    if (const auto* value = map.get("class_images")) {
      made.class_images = yaml_text(*value, map.path("class_images"), faults_).value_or("");
    }
    if (const auto* value = map.get("kind")) {
      const auto kind = yaml_text(*value, map.path("kind"), faults_);
      if (kind && check_word(*value, map.path("kind"), *kind, {"object", "live", "style"}, faults_)) made.kind = *kind;
    }
    return made;
  }

  /// `cat`, or {textreg: cat, default: animal}. See check_class_labels.
  std::map<std::string, std::string> words_of(const YamlNode& node, const std::string& path) {
    std::map<std::string, std::string> words;
    if (node.kind == YamlNode::Kind::map) {
      for (const auto& entry : node.entries) {
        if (auto word = yaml_text(entry.value, path + "." + entry.key, faults_)) {
          words[entry.key == "default" ? "" : entry.key] = *word;
        }
      }
    } else if (auto word = yaml_text(node, path, faults_)) {
      words[""] = *word;
    }
    return words;
  }

  void class_words(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::map) {
      faults_.add(node.at, "concepts.class: " + describe(node), "a mapping of concepts to class words");
    }
    for (const auto& entry : node.entries) {
      const auto found = std::ranges::find(study_.concepts, entry.key, &StudyConcept::name);
      if (found != study_.concepts.end()) {
        found->class_word = words_of(entry.value, "concepts.class." + entry.key);
      } else if (!study_.concepts.empty()) {
        add_unknown(entry.at, "concepts.class: no concept", entry.key, names_of(study_.concepts), faults_);
      }
    }
  }

  void add(StudyConcept made, const std::string& path) {
    if (made.name.empty()) return;
    const auto same = std::ranges::find(study_.concepts, made.name, &StudyConcept::name);
    if (same != study_.concepts.end()) {
      faults_.add(made.at, fmt::format("{}: the concept \"{}\" twice", path, made.name), "each concept once",
                  fmt::format("it stands first in line {}; give one of them a name", same->at.line));
      return;
    }
    study_.concepts.push_back(std::move(made));
  }

  std::vector<std::string> listed(const YamlNode& node, const std::string& path) {
    const auto all = names_of(study_.concepts);
    auto names = yaml_texts(node, path, faults_);
    if (all.empty()) return names;
    const auto at = [&](const std::string& name) {
      const auto item = std::ranges::find(node.items, name, &YamlNode::text);
      return item == node.items.end() ? node.at : item->at;
    };
    for (const auto& name : names) {
      if (std::ranges::count(all, name) == 0) add_unknown(at(name), path + ": no concept", name, all, faults_);
    }
    return names;
  }

  void select(const YamlMap& map) {
    const auto before = study_.concepts.size();
    const auto faults_before = faults_.size();
    const YamlNode* last = nullptr;
    if (const auto* only = map.get("only")) {
      last = only;
      const auto names = listed(*only, "concepts.only");
      std::erase_if(study_.concepts, [&](const auto& each) { return std::ranges::count(names, each.name) == 0; });
    }
    if (const auto* exclude = map.get("exclude")) {
      last = exclude;
      // Judged against all concepts of the set that `only` left.
      const auto names = listed(*exclude, "concepts.exclude");
      std::erase_if(study_.concepts, [&](const auto& each) { return std::ranges::count(names, each.name) > 0; });
    }
    if (before > 0 && study_.concepts.empty() && faults_.size() == faults_before) {
      faults_.add(last->at, "concepts: none is left", "at least one concept");
    }
  }

  const Known& known_;
  Study& study_;
  Faults& faults_;
};

}  // namespace

void check_class_labels(const YamlNode& concepts, const Study& study, Faults& faults) {
  if (study.methods.empty()) return;
  auto labels = method_labels(study);
  labels.emplace_back("default");
  const auto check = [&](const YamlNode& words, const std::string& path) {
    for (const auto& entry : words.entries) {
      if (std::ranges::count(labels, entry.key) == 0)
        add_unknown(entry.at, path + ": no method", entry.key, labels, faults);
    }
  };
  const auto check_list = [&](const YamlNode& list, const std::string& path) {
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (const auto* words = list.items[i].find("class")) check(words->value, fmt::format("{}[{}].class", path, i));
    }
  };
  check_list(concepts, "concepts");
  if (const auto* list = concepts.find("list")) check_list(list->value, "concepts.list");
  const auto* words = concepts.find("class");
  if (words == nullptr) return;
  for (const auto& entry : words->value.entries) check(entry.value, "concepts.class." + entry.key);
}

void read_concepts(const YamlNode& node, const Known& known, Study& study, Faults& faults) {
  ConceptReader reader(known, study, faults);
  if (node.kind == YamlNode::Kind::list) {
    reader.from_list(node, "concepts");
  } else if (node.kind == YamlNode::Kind::map) {
    reader.from_map(node);
  } else {
    faults.add(node.at, "concepts: " + describe(node), "a list of concepts, or a mapping with set and root");
  }
}

}  // namespace atelier
