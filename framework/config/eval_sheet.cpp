#include "framework/config/eval_sheet.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/config/yaml.h"

namespace atelier {
namespace {

constexpr const char* kSchema = "eval_sheet/1";

/// Names of concepts and prompts are names of folders: one step down, never up.
bool names_a_folder(const std::string& name) {
  return name != "." && name != ".." && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

class SheetReader {
 public:
  SheetReader(const YamlNode& root, EvalSheet& sheet, Faults& faults) : sheet_(sheet), faults_(faults) {
    const YamlMap map(root, "", {"schema", "concepts", "prompts"}, faults);
    check_schema(root, map.get("schema"));
    each_item(root, map.get("prompts"), "prompts",
              [&](const YamlNode& node, const std::string& path) { add_prompt(node, path); });
    each_item(root, map.get("concepts"), "concepts",
              [&](const YamlNode& node, const std::string& path) { add_concept(node, path); });
    std::ranges::stable_sort(sheet.concepts, {}, &SheetConcept::name);
  }

 private:
  void check_schema(const YamlNode& root, const YamlNode* schema) {
    if (schema == nullptr) {
      faults_.add(root.at, "schema is missing", kSchema);
    } else if (schema->text != kSchema) {
      faults_.add(schema->at, "schema: " + describe(*schema), kSchema);
    }
  }

  template <typename F>
  void each_item(const YamlNode& root, const YamlNode* list, const std::string& path, const F& f) {
    if (list == nullptr) {
      faults_.add(root.at, path + " is missing", "a list with at least one entry");
    } else if (list->kind != YamlNode::Kind::list || list->items.empty()) {
      const bool empty = list->kind == YamlNode::Kind::list;
      faults_.add(list->at, path + ": " + (empty ? std::string("an empty list") : describe(*list)),
                  "a list with at least one entry");
    } else {
      for (std::size_t i = 0; i < list->items.size(); ++i) f(list->items[i], fmt::format("{}[{}]", path, i));
    }
  }

  /// A text that must be there.
  std::string required(const YamlNode& node, const YamlMap& map, const char* key) {
    const auto* value = map.get(key);
    if (value != nullptr) return yaml_text(*value, map.path(key), faults_).value_or("");
    if (node.kind == YamlNode::Kind::map) faults_.add(node.at, map.path(key) + " is missing", "a text");
    return "";
  }

  std::string name_of(const YamlNode& node, const YamlMap& map, const char* key) {
    auto name = required(node, map, key);
    if (names_a_folder(name)) return name;
    faults_.add(map.get(key)->at, map.path(key) + ": " + describe(*map.get(key)),
                "the name of a folder, without a path");
    return "";
  }

  std::optional<std::string> optional_text(const YamlMap& map, const char* key) {
    const auto* value = map.get(key);
    return value == nullptr ? std::nullopt : yaml_text(*value, map.path(key), faults_);
  }

  void add_prompt(const YamlNode& node, const std::string& path) {
    const YamlMap map(node, path, {"id", "text", "role", "edit", "score_text", "keeps_appearance"}, faults_);
    SheetPrompt made{.id = name_of(node, map, "id"), .text = required(node, map, "text"), .at = node.at};
    made.edit = optional_text(map, "edit");
    made.score_text = optional_text(map, "score_text");
    if (const auto* role = map.get("role")) {
      made.reconstruction = role->text == "reconstruction";
      if (!made.reconstruction && role->text != "edit") {
        faults_.add(role->at, map.path("role") + ": " + describe(*role), "edit or reconstruction");
      }
    }
    if (const auto* keeps = map.get("keeps_appearance")) {
      made.keeps_appearance = yaml_boolean(*keeps, map.path("keeps_appearance"), faults_).value_or(true);
    }
    add(sheet_.prompts, &SheetPrompt::id, std::move(made), path + ": the prompt");
  }

  void add_concept(const YamlNode& node, const std::string& path) {
    const YamlMap map(node, path, {"name", "class", "prompts", "duplicates"}, faults_);
    SheetConcept made{.name = name_of(node, map, "name"), .class_word = {}, .prompts = {}, .at = node.at};
    made.class_word = optional_text(map, "class").value_or("");
    made.prompts = prompts_of(map);
    if (const auto* pairs = map.get("duplicates")) read_duplicates(*pairs, map.path("duplicates"), made);
    add(sheet_.concepts, &SheetConcept::name, std::move(made), path + ": the concept");
  }

  template <typename Entry>
  void add(std::vector<Entry>& list, std::string Entry::*name, Entry made, const std::string& what) {
    if ((made.*name).empty()) return;  // said already
    const auto same = std::ranges::find(list, made.*name, name);
    if (same == list.end()) {
      list.push_back(std::move(made));
    } else {
      faults_.add(made.at, fmt::format("{} \"{}\" twice", what, made.*name), "each once",
                  fmt::format("it stands first in line {}", same->at.line));
    }
  }

  std::vector<std::string> prompts_of(const YamlMap& map) {
    std::vector<std::string> all, chosen;
    for (const auto& prompt : sheet_.prompts) all.push_back(prompt.id);
    const auto* node = map.get("prompts");
    if (node == nullptr) return all;
    const auto names = yaml_texts(*node, map.path("prompts"), faults_);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto at =
          node->kind == YamlNode::Kind::list && names.size() == node->items.size() ? node->items[i].at : node->at;
      if (std::ranges::count(all, names[i]) == 0)
        add_unknown(at, map.path("prompts") + ": no prompt", names[i], all, faults_);
    }
    std::ranges::copy_if(all, std::back_inserter(chosen),
                         [&](const auto& id) { return std::ranges::count(names, id) > 0; });
    return chosen;
  }

  void read_duplicates(const YamlNode& node, const std::string& path, SheetConcept& made) {
    if (node.kind != YamlNode::Kind::list)
      faults_.add(node.at, path + ": " + describe(node), "a list of pairs of files");
    for (const auto& pair : node.items) {
      if (pair.kind == YamlNode::Kind::list && pair.items.size() == 2) {
        const auto names = yaml_texts(pair, path, faults_);
        if (names.size() == 2) made.duplicates.emplace_back(names[0], names[1]);
      } else {
        faults_.add(pair.at, path + ": " + describe(pair), "two names of references, [02.jpg, 03.jpg]");
      }
    }
  }

  EvalSheet& sheet_;
  Faults& faults_;
};

}  // namespace

const SheetPrompt& EvalSheet::prompt(const std::string& id) const {
  return *std::ranges::find(prompts, id, &SheetPrompt::id);
}

EvalSheet read_eval_sheet(std::string_view text, const std::string& file) {
  EvalSheet sheet{.file = file, .concepts = {}, .prompts = {}};
  Faults faults(file);
  const YamlNode root = parse_yaml(text, faults);
  faults.raise();
  SheetReader(root, sheet, faults);
  faults.raise();
  return sheet;
}

}  // namespace atelier
