// `--set a.b=c` on a parsed tree.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "framework/config/yaml.h"

namespace atelier {
namespace {

constexpr std::size_t kMaxSegments = 16;

void place(YamlNode& node, const SourcePosition& at) {
  node.at = at;
  for (auto& item : node.items) place(item, at);
  for (auto& entry : node.entries) {
    entry.at = at;
    place(entry.value, at);
  }
}

class Override {
 public:
  Override(const SourcePosition& at, YamlNode value, Faults& faults)
      : at_(at), value_(std::move(value)), faults_(faults) {
    place(value_, at_);
  }

  void apply(YamlNode& root, std::string_view path) {
    if (static_cast<std::size_t>(std::ranges::count(path, '.')) >= kMaxSegments) {
      faults_.add(at_, "a path of more than 16 names", "a key path such as methods.textreg.base");
      return;
    }
    descend(root, path);
  }

 private:
  void descend(YamlNode& node, std::string_view path) {
    if (path.empty() || path.front() == '.' || path.back() == '.') {
      faults_.add(at_, "an empty name in the path", "names with single dots between them");
    } else if (node.kind == YamlNode::Kind::list) {
      into_list(node, path);
    } else if (node.kind == YamlNode::Kind::scalar) {
      faults_.add(at_, fmt::format("no \"{}\" inside {}", path, describe(node)), "a path into mappings and lists");
    } else {
      into_map(node, path);
    }
  }

  void next(YamlNode& node, std::string_view rest) {
    if (rest.empty()) {
      node = std::move(value_);
    } else {
      descend(node, rest.substr(1));
    }
  }

  void into_list(YamlNode& node, std::string_view path) {
    const auto head = path.substr(0, path.find('.'));
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(head.data(), head.data() + head.size(), index);
    if (error != std::errc{} || end != head.data() + head.size() || index >= node.items.size()) {
      faults_.add(at_, fmt::format("\"{}\" in a list of {}", head, node.items.size()), "the number of an item, from 0");
      return;
    }
    next(node.items[index], path.substr(head.size()));
  }

  /// The longest existing key wins: "ut.learning_rate" before "ut".
  void into_map(YamlNode& node, std::string_view path) {
    node.kind = YamlNode::Kind::map;
    for (auto end = path.size(); end != 0 && end != std::string_view::npos;) {
      const auto head = path.substr(0, end);
      const auto found = std::ranges::find(node.entries, head, &YamlEntry::key);
      if (found != node.entries.end()) return next(found->value, path.substr(end));
      end = head.rfind('.');
    }
    const auto head = path.substr(0, path.find('.'));
    node.entries.push_back({.key = std::string(head), .at = at_, .value = {}});
    node.entries.back().value.at = at_;
    next(node.entries.back().value, path.substr(head.size()));
  }

  SourcePosition at_;
  YamlNode value_;
  Faults& faults_;
};

}  // namespace

void apply_override(YamlNode& root, const std::string& override_text, std::size_t ordinal, Faults& faults) {
  const auto equals = override_text.find('=');
  const auto path = override_text.substr(0, equals);
  const SourcePosition at{.line = ordinal, .column = 0, .override_text = "--set " + path};
  if (equals == std::string::npos || path.empty()) {
    faults.add(at, "no path=value", "a.b=c", "");
    return;
  }
  Faults inner("");
  auto value = parse_yaml(std::string_view(override_text).substr(equals + 1), inner);
  if (!inner.empty()) {
    for (const auto& line : inner.lines()) faults.add(at, "the value" + line, "a YAML value");
    return;
  }
  Override(at, std::move(value), faults).apply(root, path);
}

}  // namespace atelier
