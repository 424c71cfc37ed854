#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/config/faults.h"
#include "framework/core/json.h"

namespace atelier {

struct YamlEntry;

/// One node of a strict YAML document: no anchors, aliases, merge keys or tags; keys are texts and unique.
struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  SourcePosition at;
  std::string text;     ///< of a scalar
  bool quoted = false;  ///< a quoted or block scalar is a text, whatever it looks like
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;  ///< in file order

  [[nodiscard]] const YamlEntry* find(std::string_view key) const;
};

struct YamlEntry {
  std::string key;
  SourcePosition at;  ///< of the key
  YamlNode value;
};

/// Parses one document in UTF-8: at most 1 MiB, lines of 10,000 characters, 32 levels and 100,000 nodes. Faults are
/// added; what can be understood is returned (a null node where nothing can).
[[nodiscard]] YamlNode parse_yaml(std::string_view text, Faults& faults);

/// Applies `a.b=c`: the value is YAML in flow style. A path segment is a key (the longest existing key that matches, so
/// that names with dots work) or the number of a list's item, from 0. `ordinal`: its place among the overrides.
void apply_override(YamlNode& root, const std::string& override_text, std::size_t ordinal, Faults& faults);

/// The node by YAML 1.2's core schema, narrowed: true, false, null, decimal integers and reals (1e-4 is one);
/// everything else is text, also yes, no, 010, 1_000, 0x1f, 1:30 and .inf.
[[nodiscard]] Json yaml_json(const YamlNode& node);
/// A value as a node, everything of it written at one place.
[[nodiscard]] YamlNode yaml_node(const Json& value, const SourcePosition& at);
/// What to write instead of a text that other YAML readers take for a boolean or number; "" where there is nothing to
/// say.
[[nodiscard]] std::string yaml_advice(const YamlNode& node);
/// "the text \"x\"", "the number 3", "a list": for errors.
[[nodiscard]] std::string describe(const YamlNode& node);

/// Typed reading: nothing and a fault where the node is something else. `path` is the key path.
[[nodiscard]] std::optional<std::string> yaml_text(const YamlNode& node, const std::string& path, Faults& faults);
[[nodiscard]] std::optional<std::int64_t> yaml_integer(const YamlNode& node, const std::string& path, std::int64_t low,
                                                       std::int64_t high, Faults& faults);
[[nodiscard]] std::optional<double> yaml_number(const YamlNode& node, const std::string& path, double low,
                                                Faults& faults);
[[nodiscard]] std::optional<bool> yaml_boolean(const YamlNode& node, const std::string& path, Faults& faults);
/// Texts of a list; one text counts as a list of one.
[[nodiscard]] std::vector<std::string> yaml_texts(const YamlNode& node, const std::string& path, Faults& faults);

/// A mapping whose keys are known beforehand: others are faults, with the nearest known one.
class YamlMap {
 public:
  YamlMap(const YamlNode& node, std::string path, const std::vector<std::string>& known, Faults& faults);
  /// Null when the key is absent.
  [[nodiscard]] const YamlNode* get(std::string_view key) const;
  /// "path.key"
  [[nodiscard]] std::string path(std::string_view key) const;

 private:
  const YamlNode& node_;  // borrowed
  std::string path_;
};

/// Adds the fault of a name that is none of `known`.
void add_unknown(const SourcePosition& at, const std::string& what, const std::string& name,
                 const std::vector<std::string>& known, Faults& faults);

}  // namespace atelier
