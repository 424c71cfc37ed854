// The sweep's grammar: grid, zip, each, when, exclude, ranges.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr double kMaxValues = 1000.0;

/// 12 significant digits: 0.1 + 2 * 0.1 is 0.3 to whoever wrote the range.
double rounded(double value) { return std::stod(fmt::format("{:.12g}", value)); }

bool is_range(const YamlNode& node) {
  return node.kind == YamlNode::Kind::map && (node.find("range") != nullptr || node.find("log") != nullptr);
}

class SweepReader {
 public:
  SweepReader(const YamlNode& node, std::string path, const Study& study, Faults& faults)
      : node_(node), path_(std::move(path)), study_(study), faults_(faults) {}

  std::optional<SweepItem> read() {
    const auto before = faults_.size();
    const YamlMap map(node_, path_, {"grid", "zip", "each", "when", "exclude"}, faults_);
    if (node_.kind != YamlNode::Kind::map) return std::nullopt;
    SweepItem item;
    item.at = node_.at;
    const int kinds = static_cast<int>(std::ranges::count_if(node_.entries, [](const auto& e) {
      return e.key == "grid" || e.key == "zip" || e.key == "each" || e.key == "exclude";
    }));
    if (kinds != 1 && faults_.size() == before) {
      faults_.add(node_.at,
                  fmt::format("{}: {} of grid, zip, each and exclude", path_, kinds == 0 ? "none" : "several"),
                  "exactly one of them");
    }
    if (const auto* when = map.get("when")) item.when = conditions(*when, path_ + ".when");
    if (const auto* exclude = map.get("exclude")) read_exclude(*exclude, map.get("when"), item);
    if (const auto* grid = map.get("grid")) read_grid(*grid, item);
    if (const auto* zip = map.get("zip")) read_zip(*zip, item);
    if (const auto* each = map.get("each")) read_each(*each, item);
    if (faults_.size() != before) return std::nullopt;
    return item;
  }

 private:
  struct Keyed {
    std::string key;
    SourcePosition at;
    const YamlNode* value;
  };

  /// The keys of a mapping with those of stages unfolded: `ut: {learning_rate: x}` is "ut.learning_rate".
  std::vector<Keyed> unfolded(const YamlNode& node, const std::string& path) {
    std::vector<Keyed> keys;
    if (node.kind != YamlNode::Kind::map || node.entries.empty()) {
      faults_.add(node.at, path + ": " + (node.kind == YamlNode::Kind::map ? "empty" : describe(node)),
                  "a mapping of names to values");
      return keys;
    }
    for (const auto& entry : node.entries) {
      if (entry.value.kind != YamlNode::Kind::map || is_range(entry.value)) {
        add_key(keys, {.key = entry.key, .at = entry.at, .value = &entry.value}, path);
      }
      if (entry.value.kind != YamlNode::Kind::map || is_range(entry.value)) continue;
      for (const auto& inner : entry.value.entries) {
        add_key(keys, {.key = entry.key + "." + inner.key, .at = inner.at, .value = &inner.value}, path);
      }
    }
    return keys;
  }

  void add_key(std::vector<Keyed>& keys, Keyed key, const std::string& path) {
    if (std::ranges::find(keys, key.key, &Keyed::key) != keys.end()) {
      faults_.add(key.at, fmt::format("{}: \"{}\" twice", path, key.key), "each name once");
    } else {
      keys.push_back(std::move(key));
    }
  }

  void read_exclude(const YamlNode& node, const YamlNode* when, SweepItem& item) {
    item.exclude = true;
    if (when != nullptr) {
      faults_.add(when->at, path_ + ": when beside exclude", "exclude alone", "write the conditions under exclude");
    }
    item.when = conditions(node, path_ + ".exclude");
  }

  std::map<std::string, std::vector<SweepValue>> conditions(const YamlNode& node, const std::string& path) {
    std::map<std::string, std::vector<SweepValue>> result;
    for (const auto& [key, at, value] : unfolded(node, path)) {
      const bool ok = check_condition_key(key, at, path);
      auto& values = result[key];
      if (value->kind == YamlNode::Kind::list) {
        if (value->items.empty()) faults_.add(value->at, fmt::format("{}.{}: an empty list", path, key), "values");
        for (const auto& item : value->items) values.push_back({yaml_json(item), item.at, at});
      } else {
        values.push_back({yaml_json(*value), value->at, at});
      }
      if (!ok) continue;
      for (const auto& each : values) check_condition_value(key, each, path);
    }
    return result;
  }

  bool check_condition_key(const std::string& key, const SourcePosition& at, const std::string& path) {
    std::vector<std::string> known = {"method", "concept", "seed", "preset", "base"};
    bool judged = true;
    for (const auto& method : study_.methods) {
      judged = judged && (method.spec != nullptr || !method.images.empty());
      if (method.spec == nullptr) continue;
      const auto names = option_names(*method.spec);
      known.insert(known.end(), names.begin(), names.end());
    }
    // With a method that could not be found, any name may be one of its options.
    if (!judged || std::ranges::count(known, key) > 0) return true;
    const auto near = nearest(key, known);
    faults_.add(at, fmt::format("{}: no method has an option \"{}\"", path, key),
                "method, concept, seed, preset, base or an option",
                near.empty() ? "" : fmt::format("did you mean {}?", near));
    return false;
  }

  void check_condition_value(const std::string& key, const SweepValue& value, const std::string& path) {
    if (key != "method" && key != "concept") return;
    auto known = method_labels(study_);
    if (key == "concept") {
      known.clear();
      for (const auto& each : study_.concepts) known.push_back(each.name);
    }
    const auto text = value.value.is_string() ? value.value.get<std::string>() : value.value.dump();
    const auto* method = key == "method" ? find_method(study_, text) : nullptr;
    if (method != nullptr && method->merge) {
      faults_.add(
          value.at, fmt::format("{}: {} is a merge, which a sweep does not reach", path, text),
          "a method that is trained here",
          fmt::format("sweep {} or {}; another weight is another merge", method->merge->subject, method->merge->style));
    }
    if (known.empty() || std::ranges::count(known, text) > 0) return;
    add_unknown(value.at, fmt::format("{}: no {}", path, key), text, known, faults_);
  }

  void read_grid(const YamlNode& node, SweepItem& item) {
    for (const auto& key : unfolded(node, path_ + ".grid")) {
      std::vector<SweepPoint> axis;
      for (auto& value : values_of(key, path_ + ".grid")) axis.push_back({{key.key, std::move(value)}});
      item.axes.push_back(std::move(axis));
    }
  }

  void read_zip(const YamlNode& node, SweepItem& item) {
    std::vector<SweepPoint> axis;
    std::string first;
    for (const auto& key : unfolded(node, path_ + ".zip")) {
      auto values = values_of(key, path_ + ".zip", /*distinct=*/false);
      if (values.empty()) continue;
      if (first.empty()) {
        first = key.key;
        axis.resize(values.size());
      } else if (values.size() != axis.size()) {
        faults_.add(key.value->at, fmt::format("{}.zip.{}: {} values", path_, key.key, values.size()),
                    fmt::format("{}, as many as {} has", axis.size(), first));
        continue;
      }
      for (std::size_t i = 0; i < axis.size(); ++i) axis[i].emplace_back(key.key, std::move(values[i]));
    }
    item.axes.push_back(std::move(axis));
  }

  void read_each(const YamlNode& node, SweepItem& item) {
    if (node.kind != YamlNode::Kind::list || node.items.empty()) {
      faults_.add(node.at, path_ + ".each: " + (node.kind == YamlNode::Kind::list ? "an empty list" : describe(node)),
                  "a list of mappings");
      return;
    }
    std::vector<SweepPoint> axis;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      SweepPoint point;
      for (const auto& key : unfolded(node.items[i], fmt::format("{}.each[{}]", path_, i))) {
        check_axis(key, fmt::format("{}.each[{}]", path_, i));
        point.emplace_back(key.key, SweepValue{yaml_json(*key.value), key.value->at, key.at});
      }
      axis.push_back(std::move(point));
    }
    item.axes.push_back(std::move(axis));
  }

  void check_axis(const Keyed& key, const std::string& path) {
    if (key.key == "base" || key.key == "method") {
      faults_.add(key.at, fmt::format("{}: {} is no axis", path, key.key), "seed, preset or options",
                  "give the methods two labels: {a: {method: m, base: x}, b: {method: m, base: y}}");
    } else if (key.key == "concept") {
      faults_.add(key.at, fmt::format("{}: concept is no axis", path), "seed, preset or options",
                  "every concept is run anyway; choose them under concepts");
    }
  }

  std::vector<SweepValue> values_of(const Keyed& key, const std::string& path, bool distinct = true) {
    check_axis(key, path);
    const auto where = fmt::format("{}.{}", path, key.key);
    std::vector<SweepValue> values;
    if (is_range(*key.value)) {
      for (const auto& value : range(*key.value, where)) values.push_back({value, key.value->at, key.at});
      return values;
    }
    if (key.value->kind != YamlNode::Kind::list || key.value->items.empty()) {
      const bool list = key.value->kind == YamlNode::Kind::list;
      faults_.add(key.value->at, where + ": " + (list ? "an empty list" : describe(*key.value)),
                  "a list of values, {range: [a, b, step]} or {log: [a, b, n]}");
      return values;
    }
    for (const auto& item : key.value->items) {
      SweepValue value{yaml_json(item), item.at, key.at};
      const bool known = std::ranges::any_of(values, [&](const auto& other) { return other.value == value.value; });
      if (known && distinct) {
        faults_.add(item.at, fmt::format("{}: {} twice", where, value.value.dump()), "each value once");
      } else {
        values.push_back(std::move(value));
      }
    }
    return values;
  }

  std::vector<Json> range(const YamlNode& node, const std::string& path) {
    const YamlMap map(node, path, {"range", "log"}, faults_);
    const bool log = map.get("log") != nullptr;
    const auto& list = log ? *map.get("log") : *map.get("range");
    const auto json = yaml_json(list);
    const bool three = json.is_array() && json.size() == 3 &&
                       std::ranges::all_of(json, [](const Json& each) { return each.is_number(); });
    if (!three || node.entries.size() != 1) {
      faults_.add(list.at, fmt::format("{}.{}: {}", path, log ? "log" : "range", describe(list)),
                  log ? "{log: [a, b, n]} with numbers" : "{range: [a, b, step]} with numbers");
      return {};
    }
    return log ? log_values(list, json, path) : linear_values(list, json, path);
  }

  std::vector<Json> linear_values(const YamlNode& node, const Json& json, const std::string& path) {
    const double a = json[0].get<double>();
    const double b = json[1].get<double>();
    const double step = json[2].get<double>();
    const double count = step == 0.0 ? 0.0 : std::floor((b - a) / step + 1e-9) + 1.0;
    if (!(count >= 1.0 && count <= kMaxValues)) {
      faults_.add(node.at, path + ".range: no step from a to b that makes 1 to 1000 values", "[a, b, step]");
      return {};
    }
    const bool whole = std::ranges::all_of(json, [](const Json& each) { return each.is_number_integer(); });
    std::vector<Json> values;
    for (int i = 0; i < static_cast<int>(count); ++i) {
      if (whole) {
        values.emplace_back(json[0].get<std::int64_t>() + i * json[2].get<std::int64_t>());
      } else {
        values.emplace_back(rounded(a + i * step));
      }
    }
    return values;
  }

  std::vector<Json> log_values(const YamlNode& node, const Json& json, const std::string& path) {
    const double a = json[0].get<double>();
    const double b = json[1].get<double>();
    const double n = json[2].get<double>();
    if (!(a > 0.0 && b > 0.0 && a != b && json[2].is_number_integer() && n >= 2.0 && n <= kMaxValues)) {
      faults_.add(node.at, path + ".log: no row of numbers", "[a, b, n] with a and b above 0 and n from 2 to 1000");
      return {};
    }
    std::vector<Json> values;
    for (int i = 0; i < static_cast<int>(n); ++i) values.emplace_back(rounded(a * std::pow(b / a, i / (n - 1.0))));
    return values;
  }

  const YamlNode& node_;
  std::string path_;
  const Study& study_;
  Faults& faults_;
};

}  // namespace

void read_sweep(const YamlNode& node, Study& study, Faults& faults) {
  study.sweep_at = node.at;
  if (node.kind != YamlNode::Kind::list || node.items.empty()) {
    faults.add(node.at, "sweep: " + (node.kind == YamlNode::Kind::list ? std::string("an empty list") : describe(node)),
               "a list of grid, zip, each and exclude");
    return;
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    auto item = SweepReader(node.items[i], fmt::format("sweep[{}]", i), study, faults).read();
    if (item) study.sweep.push_back(std::move(*item));
  }
}

}  // namespace atelier
