#include "framework/plan/key_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "framework/core/text.h"
#include "framework/plan/keys.h"
#include "framework/store/names.h"

namespace atelier {
namespace {

constexpr std::size_t kShownDigest = 12;
constexpr std::size_t kShownText = 60;  // characters
constexpr std::size_t kShownItems = 3;

std::string string_at(const Json& json, const char* name) {
  const Json& member = member_or_null(json, name);
  return member.is_string() ? member.get<std::string>() : std::string();
}

/// "options.ut.learning_rate" -> "options", "ut.learning_rate"; "photos[2].sha256" -> "photos", "[2].sha256".
std::pair<std::string, std::string> head_of(const std::string& path) {
  const auto end = path.find_first_of(".[");
  if (end == std::string::npos) return {path, ""};
  return {path.substr(0, end), path.substr(path[end] == '.' ? end + 1 : end)};
}

/// "[2].caption" -> "caption of photo 3".
std::string of_item(const std::string& rest, const std::string& item) {
  const auto close = rest.find(']');
  if (!rest.starts_with('[') || close == std::string::npos) return item + "s";
  const auto number = std::stoull(rest.substr(1, close - 1)) + 1;
  const std::string member = close + 2 <= rest.size() ? rest.substr(close + 2) : "";
  const std::string name = fmt::format("{} {}", item, number);
  return member.empty() || member == "sha256" ? name : fmt::format("{} of {}", member, name);
}

std::string numerics_words(const std::string& rest) {
  if (rest == "threads") return "threads of a worker";
  if (rest == "torch") return "LibTorch's version";
  if (rest == "dtype") return "type of the frozen weights";
  return rest.empty() ? "numerics class" : rest;
}

std::string words_of(const std::string& path) {
  static const std::map<std::string, std::string> alone{
      {"framework", "numerics of the framework"},
      {"numerics", "numerics of the stage"},
      {"plugin_numerics", "numerics of the stage whose artifact is used"},
      {"base", "base model"},
      {"total_steps", "steps of the whole training"},
      {"class_word", "class word"},
      {"base_prompt", "prompt of the base model"},
      {"negative", "negative prompt"},
      {"seeds", "seeds of the pictures"},
      {"batch", "pictures sampled at once"}};
  static const std::map<std::string, std::string> prefixes{
      {"options", "option "},    {"lists", "prompt list "}, {"encoders", "encoder "}, {"protocol", "protocol's "},
      {"sampler", "sampler's "}, {"inputs", "input "},      {"concept", "concept's "}};
  static const std::map<std::string, std::string> items{
      {"photos", "photo"}, {"references", "reference photo"}, {"sets", "set of picture"}};
  const auto [head, rest] = head_of(path);
  if (head == "numerics_class") return numerics_words(rest);
  if (const auto found = items.find(head); found != items.end()) return of_item(rest, found->second);
  if (const auto found = prefixes.find(head); found != prefixes.end() && !rest.empty()) return found->second + rest;
  if (const auto found = alone.find(path); found != alone.end()) return found->second;
  return path;
}

/// What stands for an item of a list when lists are compared: a file by its content.
std::string item_name(const Json& item) {
  const std::string digest = string_at(item, "sha256");
  return digest.empty() ? item.dump() : digest;
}

bool is_list_of_files(const Json& value) {
  return value.is_array() && !value.empty() && std::ranges::all_of(value, [](const Json& item) {
           return item.is_string() ? is_digest(item.get_ref<const std::string&>()) : !string_at(item, "sha256").empty();
         });
}

std::vector<std::string> only_in(const Json& list, const Json& other) {
  std::set<std::string> names;
  for (const Json& item : other) names.insert(item_name(item));
  std::vector<std::string> only;
  for (const Json& item : list) {
    const std::string name = item_name(item);
    const auto bare = name.starts_with('"') ? name.substr(1, name.size() - 2) : name;
    if (!names.contains(name)) only.push_back(bare.substr(0, kShownDigest));
  }
  return only;
}

/// "1 added (3f2a91c0ffee), 1 removed (77aa00bb11cc)"
std::string list_change(const Json& before, const Json& after) {
  const auto added = only_in(after, before), removed = only_in(before, after);
  std::vector<std::string> parts;
  if (!added.empty()) parts.push_back(fmt::format("{} added ({})", added.size(), join(added, ", ", kShownItems)));
  if (!removed.empty())
    parts.push_back(fmt::format("{} removed ({})", removed.size(), join(removed, ", ", kShownItems)));
  return parts.empty() ? "another order" : join(parts);
}

class Comparison {
 public:
  explicit Comparison(const DescriptionLookup& find) : find_(find) {}

  void compare(const Json& before, const Json& after, const std::vector<std::string>& through) {
    for (Json& entry : explain_difference(before, after)) {
      const std::string path = entry.at("path").get<std::string>();
      if (follow(entry.at("a"), entry.at("b"), through)) continue;
      KeyChange change{words_of(path), path, entry.at("a"), entry.at("b"), through};
      const auto same = [&](const KeyChange& known) {
        return known.path == change.path && known.before == change.before && known.after == change.after &&
               !through.empty();
      };
      if (std::ranges::none_of(changes, same)) changes.push_back(std::move(change));
    }
  }

  std::vector<KeyChange> changes;

 private:
  /// Two keys: what differs behind them. False when that is not known.
  bool follow(const Json& before, const Json& after, std::vector<std::string> through) {
    if (!before.is_string() || !after.is_string()) return false;
    const auto& first = before.get_ref<const std::string&>();
    const auto& second = after.get_ref<const std::string&>();
    if (!is_digest(first) || !is_digest(second)) return false;
    if (!seen_.insert(first + second).second) return true;
    const auto old = find_(first), now = find_(second);
    if (!old || !now || string_at(*old, "kind") != string_at(*now, "kind")) {
      seen_.erase(first + second);
      return false;
    }
    through.push_back(description_title(*now));
    compare(*old, *now, through);
    return true;
  }

  const DescriptionLookup& find_;
  std::set<std::string> seen_;
};

}  // namespace

std::vector<KeyChange> key_changes(const Json& before, const Json& after, const DescriptionLookup& find) {
  Comparison comparison(find);
  comparison.compare(before, after, {});
  return std::move(comparison.changes);
}

std::string short_value(const Json& value) {
  if (value.is_null()) return "none";
  if (value.is_string() && is_digest(value.get_ref<const std::string&>()))
    return value.get<std::string>().substr(0, kShownDigest) + "…";
  if (value.is_object() && value.size() == 1 && value.contains("sha256")) return short_value(value.at("sha256"));
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kShownText) return text;
  std::size_t end = kShownText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return text.substr(0, end) + "…";
}

std::string change_text(const KeyChange& change) {
  const bool lists = is_list_of_files(change.before) && is_list_of_files(change.after);
  std::string text =
      lists ? fmt::format("{}: {}", change.what, list_change(change.before, change.after))
            : fmt::format("{}: {} → {}", change.what, short_value(change.before), short_value(change.after));
  if (!change.through.empty()) text += "; in " + change.through.back();
  return text;
}

std::string description_title(const Json& description) {
  const std::string kind = string_at(description, "kind");
  if (kind == "train") {
    return fmt::format("train {}/{} step {}", string_at(description, "method"), string_at(description, "stage"),
                       member_or_null(description, "step").dump());
  }
  if (kind == "sample" || kind == "given") return fmt::format("pictures of \"{}\"", string_at(description, "prompt"));
  if (kind == "generate") return fmt::format("images of the class, \"{}\"", string_at(description, "prompt"));
  if (kind == "score") return "scores by " + string_at(member_or_null(description, "protocol"), "id");
  return kind;
}

}  // namespace atelier
