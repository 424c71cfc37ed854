#include "framework/cli/why_origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/plan/key_changes.h"
#include "framework/store/names.h"
#include "framework/store/references.h"

namespace atelier::cli {
namespace {

constexpr std::size_t kOriginDigits = 12;
constexpr std::size_t kOriginRuns = 4;

/// Who published it first: the attempt, its machine and what computed there.
Json made_by(Index& index, const std::string& key) {
  constexpr const char* kMade =
      "SELECT p.at, a.attempt, a.host, a.device, a.dtype, a.threads, a.torch, a.build, e.seconds FROM published p"
      " LEFT JOIN attempt a ON a.attempt = p.attempt LEFT JOIN last_end e ON e.attempt = p.attempt"
      " WHERE p.key = ? ORDER BY p.at LIMIT 1";
  const auto rows = index.query(kMade, {key});
  if (rows.empty()) return nullptr;
  Json made = Json::object();
  std::size_t column = 0;
  for (const char* name : {"at", "attempt", "host", "device", "dtype", "threads", "torch", "build", "seconds"}) {
    const Value& value = rows.front().at(column++);
    if (const auto* text = std::get_if<std::string>(&value)) made[name] = *text;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) made[name] = *whole;
    if (const auto* real = std::get_if<double>(&value)) made[name] = *real;
  }
  return made;
}

Json users_of(Index& index, const std::string& key) {
  Json users = Json::array();
  for (const Row& row : index.query("SELECT DISTINCT s.study || '/' || r.run FROM stage_output o"
                                    " JOIN stage_run r USING (manifest, job) JOIN study s USING (manifest)"
                                    " WHERE o.key = ? ORDER BY 1",
                                    {key}))
    users.push_back(text_of(row.at(0)));
  return users;
}

/// The description without what names other keys of the store, which are told by themselves.
Json parts_of(const Json& description, const std::set<std::string>& inputs) {
  Json parts = Json::object();
  for (const auto& [name, value] : description.items()) {
    std::set<std::string> digests;
    collect_digests(value, digests);
    const bool input = std::ranges::any_of(digests, [&](const std::string& each) { return inputs.contains(each); });
    if (name != "kind" && !input) parts[name] = value;
  }
  return parts;
}

std::string list_text(const Json& list) {
  std::vector<std::string> items;
  for (const Json& item : list) items.push_back(short_value(item.is_object() ? item.value("sha256", item) : item));
  return fmt::format("{} ({})", list.size(), join(items, ", ", 3));
}

void print_part(const std::string& name, const Json& value, const std::string& space) {
  if (value.is_object()) {
    for (const auto& [inner, each] : value.items()) print_part(name + "." + inner, each, space);
  } else if (value.is_array()) {
    fmt::print("{}  {}: {}\n", space, name, list_text(value));
  } else if (!value.is_null()) {
    fmt::print("{}  {}: {}\n", space, name, short_value(value));
  }
}

void print_made(const Json& made, const std::string& space) {
  if (made.is_null()) return;
  const auto text = [&](const char* name) {
    const Json& value = member_or_null(made, name);
    return value.is_string() ? value.get<std::string>() : value.is_null() ? std::string("-") : value.dump();
  };
  fmt::print("{}  made {} on {}, {}, {}, {} threads, LibTorch {}, build {}, in an attempt of {:.1f} s\n", space,
             text("at"), text("host"), text("device"), text("dtype"), text("threads"), text("torch"), text("build"),
             made.value("seconds", 0.0));
}

}  // namespace

Json origin_of(const Store& store, Index& index, const std::string& key, std::set<std::string>& told) {
  const auto record = store.find(key);
  if (!record) {
    throw Error({.where = "key " + key.substr(0, kOriginDigits),
                 .found = "nothing under this key in " + store.root().string(),
                 .expected = "a key that was published",
                 .advice = "`atelier why RUN` says why it is to be made"},
                ErrorKind::usage);
  }
  Json origin{{"title", description_title(record->description)}, {"key", key}, {"object", record->object}};
  origin["divergent"] = record->divergent;
  if (!told.insert(key).second) return origin;
  origin["made"] = made_by(index, key);
  origin["runs"] = users_of(index, key);
  std::set<std::string> digests, inputs;
  collect_digests(record->description, digests);
  std::ranges::copy_if(digests, std::inserter(inputs, inputs.end()),
                       [&](const std::string& each) { return store.has(each); });
  origin["parts"] = parts_of(record->description, inputs);
  origin["from"] = Json::array();
  for (const auto& input : inputs) origin["from"].push_back(origin_of(store, index, input, told));
  return origin;
}

void print_origin(const Json& origin, std::size_t indent) {
  const std::string space(indent, ' ');
  const std::string key = origin.at("key").get<std::string>();
  if (!origin.contains("parts")) {
    fmt::print("{}{}  (key {}…, see above)\n", space, origin.at("title").get<std::string>(),
               key.substr(0, kOriginDigits));
    return;
  }
  fmt::print("{}{}\n{}  key {}\n{}  object {}{}\n", space, origin.at("title").get<std::string>(), space, key, space,
             origin.at("object").get<std::string>(),
             origin.at("divergent").empty() ? "" : "  (other bytes came out under this key too)");
  print_made(origin.at("made"), space);
  if (const auto runs = origin.at("runs").get<std::vector<std::string>>(); !runs.empty() && indent == 0)
    fmt::print("{}  of {}\n", space, join(runs, ", ", kOriginRuns));
  for (const auto& [name, value] : origin.at("parts").items()) print_part(name, value, space);
  // Pictures of many prompts were made alike: one stands for all.
  const auto& from = origin.at("from");
  std::map<std::string, std::vector<const Json*>> kinds;
  for (const Json& each : from) {
    const std::string title = each.at("title").get<std::string>();
    kinds[title.substr(0, title.find(" of "))].push_back(&each);
  }
  for (const auto& [kind, all] : kinds) {
    fmt::print("{}  from {}\n", space, all.size() == 1 ? "this" : fmt::format("{} like this ({})", all.size(), kind));
    const auto whole = std::ranges::find_if(all, [](const Json* each) { return each->contains("parts"); });
    print_origin(**(whole == all.end() ? all.begin() : whole), indent + 4);
  }
}

}  // namespace atelier::cli
