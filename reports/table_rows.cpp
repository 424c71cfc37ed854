#include "reports/table_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier::reports {
namespace {

Json optional_json(const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(); }

/// Null where the run does not have the axis.
Json axis_of(const RunFacts& run, const std::string& axis) {
  if (axis == "method") return run.method;
  if (axis == "concept") return run.subject;
  if (axis == "seed") return optional_json(run.seed);
  if (axis == "preset") return run.preset;
  if (axis == "checkpoint") return optional_json(run.checkpoint);
  for (const Json* place : {&run.row, &run.options}) {
    if (place->is_object() && place->contains(axis)) return place->at(axis);
  }
  return {};
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::count(names, name) > 0;
}

/// What tells runs apart: everything the study set for them.
std::vector<std::string> known_axes(const StudyFacts& facts) {
  std::set<std::string> options;
  for (const auto& run : facts.runs) {
    for (const Json* place : {&run.row, &run.options}) {
      for (const auto& [name, value] : place->items()) options.insert(name);
    }
  }
  std::vector<std::string> axes = {"method", "preset", "checkpoint", "concept", "seed"};
  for (const auto& name : axes) options.erase(name);
  axes.insert(axes.end(), options.begin(), options.end());
  return axes;
}

void check_axes(const std::vector<std::string>& names, const std::vector<std::string>& known, const char* where) {
  for (const auto& name : names) {
    if (contains(known, name)) continue;
    const auto near = nearest(name, known);
    throw Error({.where = where,
                 .found = fmt::format("\"{}\", which no run has", name),
                 .expected = "one of " + join(known, ", ", 20),
                 .advice = near.empty() ? "" : fmt::format("did you mean \"{}\"?", near)},
                ErrorKind::usage);
  }
}

std::string text_of_axis(const Json& value) {
  if (value.is_null()) return "(default)";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

class Grouping {
 public:
  Grouping(const StudyFacts& facts, const TableRequest& request) : axes_(known_axes(facts)), rows_(request.rows) {
    over_ = request.over.empty() ? std::vector<std::string>{"concept", "seed"} : request.over;
    check_axes(rows_, axes_, "rows");
    check_axes(over_, axes_, "over");
    if (request.over.empty()) std::erase_if(over_, [&](const std::string& name) { return contains(rows_, name); });
    for (const auto& name : rows_) {
      if (!contains(over_, name)) continue;
      throw Error({.where = "rows",
                   .found = fmt::format("\"{}\", which is also averaged over", name),
                   .expected = "one of the two"},
                  ErrorKind::usage);
    }
    by_label_ = rows_.empty() || rows_ == std::vector<std::string>{"method"};
  }

  Json axes_of(const RunFacts& run) const {
    Json axes = Json::object();
    for (const auto& name : axes_) {
      if (contains(over_, name) || (run.anchor() && name == "seed")) continue;
      const auto value = axis_of(run, name);
      if (!value.is_null()) axes[name] = value;
    }
    if (run.anchor()) axes["label"] = run.label;  // holds the base model
    return axes;
  }

  std::string label_of(const RunFacts& run) const {
    if (run.anchor()) return labelled(run, run.label);
    if (!by_label_) return joined(run);
    return labelled(run, swept_is_shown(run) ? run.label : joined_label(run));
  }

 private:
  bool swept_is_shown(const RunFacts& run) const {
    return std::ranges::none_of(run.row.items(), [&](const auto& item) { return contains(over_, item.key()); });
  }

  /// The run's label without what is averaged over.
  std::string joined_label(const RunFacts& run) const {
    std::string label = contains(over_, "method") ? "all" : run.method;
    for (const auto& [name, value] : run.row.items()) {
      if (name != "method" && !contains(over_, name)) label += fmt::format(" {}={}", name, text_of_axis(value));
    }
    return label;
  }

  std::string labelled(const RunFacts& run, std::string label) const {
    if (run.checkpoint && !contains(over_, "checkpoint")) label += fmt::format(" @ step {}", *run.checkpoint);
    if (!contains(over_, "concept")) label += ", " + run.subject;
    if (run.seed && !contains(over_, "seed")) label += fmt::format(", seed {}", *run.seed);
    return label;
  }

  /// The axes that were asked for, and what the sweep set besides.
  std::string joined(const RunFacts& run) const {
    std::vector<std::string> parts;
    for (const auto& name : rows_) {
      const auto text = text_of_axis(axis_of(run, name));
      const bool bare = name == "method" || name == "concept" || name == "preset";
      parts.push_back(bare ? text : fmt::format("{}={}", name, text));
    }
    std::vector<std::string> rest = {"method", "checkpoint", "concept", "seed"};
    for (const auto& [name, value] : run.row.items()) rest.push_back(name);
    for (const auto& name : rest) {
      if (contains(rows_, name) || contains(over_, name)) continue;
      const auto value = axis_of(run, name);
      const auto part =
          name == "method" || name == "concept" ? text_of_axis(value) : fmt::format("{}={}", name, text_of_axis(value));
      if (!value.is_null() && !contains(parts, part)) parts.push_back(part);
    }
    return join(parts, ", ");
  }

  std::vector<std::string> axes_, rows_, over_;
  bool by_label_ = true;
};

/// Rows that read the same get what tells them apart.
void tell_apart(std::vector<RowGroup>& groups) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::vector<std::size_t> same;
    for (std::size_t j = i; j < groups.size(); ++j) {
      if (groups[j].label == groups[i].label) same.push_back(j);
    }
    if (same.size() < 2) continue;
    const std::string label = groups[i].label;
    std::set<std::string> names;
    for (const auto j : same) {
      for (const auto& [name, value] : groups[j].axes.items()) names.insert(name);
    }
    for (const auto j : same) {
      for (const auto& name : names) {
        const auto value_in = [&](std::size_t k) { return groups[k].axes.value(name, Json()); };
        const bool differs = std::ranges::any_of(same, [&](std::size_t k) { return value_in(k) != value_in(same[0]); });
        if (differs) groups[j].label += fmt::format(", {}={}", name, text_of_axis(value_in(j)));
      }
    }
  }
}

}  // namespace

std::vector<RowGroup> row_groups(const StudyFacts& facts, const TableRequest& request) {
  const Grouping grouping(facts, request);
  std::vector<RowGroup> groups;
  for (const bool anchors : {false, true}) {
    std::map<Json, std::size_t> places;  // of this kind
    for (const auto& run : facts.runs) {
      if (run.anchor() != anchors) continue;
      const auto axes = grouping.axes_of(run);
      const auto [place, fresh] = places.try_emplace(axes, groups.size());
      if (fresh) groups.push_back({grouping.label_of(run), anchors ? "anchor" : "method", axes, {}});
      groups[place->second].runs.push_back(&run);
    }
  }
  tell_apart(groups);
  return groups;
}

}  // namespace atelier::reports
