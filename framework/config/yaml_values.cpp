// Scalars as values, and typed reading.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "framework/config/yaml.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

bool digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view unsigned_part(std::string_view text) {
  return text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
}

/// 0, or digits that do not begin with 0: 010 is 8 for one reader and 10 for another.
bool decimal_integer(std::string_view text) {
  const auto body = unsigned_part(text);
  return digits(body) && (body.size() == 1 || body[0] != '0');
}

/// 1.5, .5, 1., 1e-4, 1.5E3
bool decimal_real(std::string_view text) {
  auto body = unsigned_part(text);
  const auto e = body.find_first_of("eE");
  if (e != std::string_view::npos) {
    if (!digits(unsigned_part(body.substr(e + 1)))) return false;
    body = body.substr(0, e);
  }
  const auto dot = body.find('.');
  if (dot == std::string_view::npos) return e != std::string_view::npos && decimal_integer(body);
  const auto whole = body.substr(0, dot);
  const auto fraction = body.substr(dot + 1);
  const bool whole_ok = whole.empty() || decimal_integer(whole);
  return whole_ok && (fraction.empty() ? !whole.empty() : digits(fraction));
}

template <typename T>
std::optional<T> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Json scalar_json(const YamlNode& node) {
  const auto& text = node.text;
  if (node.quoted) return text;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (decimal_integer(text)) {
    if (const auto value = number<std::int64_t>(text)) return *value;
  } else if (decimal_real(text)) {
    const auto value = number<double>(text);
    if (value && std::isfinite(*value)) return *value;
  }
  return text;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

void add_wrong(const YamlNode& node, const std::string& path, std::string expected, Faults& faults) {
  faults.add(node.at, fmt::format("{}: {}", path, describe(node)), std::move(expected), yaml_advice(node));
}

}  // namespace

Json yaml_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::scalar:
      return scalar_json(node);
    case YamlNode::Kind::list: {
      auto list = Json::array();
      for (const auto& item : node.items) list.push_back(yaml_json(item));
      return list;
    }
    case YamlNode::Kind::map: {
      auto map = Json::object();
      for (const auto& entry : node.entries) map[entry.key] = yaml_json(entry.value);
      return map;
    }
    case YamlNode::Kind::null:
      break;
  }
  return nullptr;
}

YamlNode yaml_node(const Json& value, const SourcePosition& at) {
  YamlNode node{.kind = YamlNode::Kind::scalar, .at = at, .text = "", .quoted = false, .items = {}, .entries = {}};
  if (value.is_null()) {
    node.kind = YamlNode::Kind::null;
  } else if (value.is_array()) {
    node.kind = YamlNode::Kind::list;
    for (const auto& item : value) node.items.push_back(yaml_node(item, at));
  } else if (value.is_object()) {
    node.kind = YamlNode::Kind::map;
    for (const auto& [key, item] : value.items()) node.entries.push_back({key, at, yaml_node(item, at)});
  } else {
    node.quoted = value.is_string();
    node.text = node.quoted ? value.get<std::string>() : value.dump();
  }
  return node;
}

std::string yaml_advice(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar) return "";
  const auto json = scalar_json(node);
  if (!json.is_string()) return "";
  const auto word = lower(node.text);
  if (node.quoted) {
    auto plain = node;
    plain.quoted = false;
    return scalar_json(plain).is_string() ? "" : "remove the quotes";
  }
  if (word == "yes" || word == "on" || word == "y") return "write true";
  if (word == "no" || word == "off" || word == "n") return "write false";
  const auto body = std::string(unsigned_part(word));
  if (body == ".inf" || body == "inf" || body == ".nan" || body == "nan" || body == "infinity") {
    return "write a finite number";
  }
  if (digits(body)) return body[0] == '0' ? "write it without leading zeros" : "the number is too large";
  if (body.starts_with("0x") || body.starts_with("0o") || body.starts_with("0b")) return "write it in decimal";
  if (body.find('_') != std::string::npos && body.find_first_not_of("0123456789_.") == std::string::npos) {
    return "write it without _";
  }
  if (body.find(':') != std::string::npos && body.find_first_not_of("0123456789:.") == std::string::npos) {
    return "write it as one decimal number";
  }
  return decimal_real(word) ? "the number is too large" : "";
}

std::string describe(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::null) return "nothing";
  if (node.kind == YamlNode::Kind::list) return "a list";
  if (node.kind == YamlNode::Kind::map) return "a mapping";
  const auto json = scalar_json(node);
  if (json.is_boolean()) return node.text;
  if (json.is_number()) return "the number " + node.text;
  return "the text " + json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<std::string> yaml_text(const YamlNode& node, const std::string& path, Faults& faults) {
  const auto json = node.kind == YamlNode::Kind::scalar ? scalar_json(node) : Json();
  if (json.is_string() && !node.text.empty()) return node.text;
  const bool other = node.kind == YamlNode::Kind::scalar && !json.is_string();
  faults.add(node.at, fmt::format("{}: {}", path, describe(node)), "a text", other ? "put it in quotes" : "");
  return std::nullopt;
}

std::optional<std::int64_t> yaml_integer(const YamlNode& node, const std::string& path, std::int64_t low,
                                         std::int64_t high, Faults& faults) {
  const auto json = node.kind == YamlNode::Kind::scalar ? scalar_json(node) : Json();
  if (json.is_number_integer()) {
    const auto value = json.get<std::int64_t>();
    if (value >= low && value <= high) return value;
  }
  const auto range = high == INT64_MAX ? fmt::format("an integer of at least {}", low)
                                       : fmt::format("an integer from {} to {}", low, high);
  add_wrong(node, path, range, faults);
  return std::nullopt;
}

std::optional<double> yaml_number(const YamlNode& node, const std::string& path, double low, Faults& faults) {
  const auto json = node.kind == YamlNode::Kind::scalar ? scalar_json(node) : Json();
  if (json.is_number() && json.get<double>() >= low) return json.get<double>();
  add_wrong(node, path, fmt::format("a number of at least {}", low), faults);
  return std::nullopt;
}

std::optional<bool> yaml_boolean(const YamlNode& node, const std::string& path, Faults& faults) {
  const auto json = node.kind == YamlNode::Kind::scalar ? scalar_json(node) : Json();
  if (json.is_boolean()) return json.get<bool>();
  add_wrong(node, path, "true or false", faults);
  return std::nullopt;
}

std::vector<std::string> yaml_texts(const YamlNode& node, const std::string& path, Faults& faults) {
  std::vector<std::string> texts;
  if (node.kind == YamlNode::Kind::scalar) {
    if (auto text = yaml_text(node, path, faults)) texts.push_back(std::move(*text));
    return texts;
  }
  if (node.kind != YamlNode::Kind::list || node.items.empty()) {
    const auto found = node.kind == YamlNode::Kind::list ? "an empty list" : describe(node);
    faults.add(node.at, fmt::format("{}: {}", path, found), "a text or a list of texts");
    return texts;
  }
  for (const auto& item : node.items) {
    const auto text = yaml_text(item, path, faults);
    if (!text) continue;
    if (std::ranges::count(texts, *text) > 0) {
      faults.add(item.at, fmt::format("{}: \"{}\" twice", path, *text), "each once");
      continue;
    }
    texts.push_back(*text);
  }
  return texts;
}

void add_unknown(const SourcePosition& at, const std::string& what, const std::string& name,
                 const std::vector<std::string>& known, Faults& faults) {
  const auto near = nearest(name, known);
  faults.add(at, fmt::format("{} \"{}\"", what, name),
             known.empty() ? "none: there are none" : "one of " + join(known, ", ", 20),
             near.empty() ? "" : fmt::format("did you mean {}?", near));
}

YamlMap::YamlMap(const YamlNode& node, std::string path, const std::vector<std::string>& known, Faults& faults)
    : node_(node), path_(std::move(path)) {
  if (node.kind != YamlNode::Kind::map) {
    const auto prefix = path_.empty() ? std::string() : path_ + ": ";
    faults.add(node.at, prefix + describe(node), "a mapping with " + join(known, ", ", 20));
    return;
  }
  for (const auto& entry : node.entries) {
    if (std::ranges::count(known, entry.key) > 0) continue;
    add_unknown(entry.at, (path_.empty() ? std::string() : path_ + ": ") + "unknown key", entry.key, known, faults);
  }
}

const YamlNode* YamlMap::get(std::string_view key) const {
  const auto* entry = node_.find(key);
  return entry == nullptr ? nullptr : &entry->value;
}

std::string YamlMap::path(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

}  // namespace atelier
