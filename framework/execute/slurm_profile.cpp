#include "framework/execute/slurm_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "framework/config/yaml.h"
#include "framework/core/atomic_file.h"

namespace atelier {
namespace {

constexpr std::int64_t kLongest = 366 * 86400LL;

/// "4:00:00" -> 4, 0, 0; empty for a text of another form.
std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::vector<std::int64_t> numbers{0};
  bool digit = false;
  for (const char each : text) {
    if (each == ':' && digit) {
      numbers.push_back(0);
      digit = false;
    } else if (std::isdigit(static_cast<unsigned char>(each)) != 0 && numbers.back() < kLongest) {
      numbers.back() = numbers.back() * 10 + (each - '0');
      digit = true;
    } else {
      return {};
    }
  }
  return digit ? numbers : std::vector<std::int64_t>{};
}

void read_time(const YamlMap& map, SlurmProfile& profile, const SourcePosition& top, Faults& faults) {
  const YamlNode* node = map.get("time");
  if (node != nullptr && node->kind == YamlNode::Kind::scalar) profile.seconds = slurm_seconds(node->text);
  if (profile.seconds > 0) return;
  faults.add(node == nullptr ? top : node->at,
             fmt::format("time: {}", node == nullptr ? std::string("nothing") : describe(*node)),
             "the time limit of a task as sbatch takes it, e.g. 4:00:00 or 90 (minutes)");
}

void read_numbers(const YamlMap& map, SlurmProfile& profile, Faults& faults) {
  const auto read = [&](const char* key, std::int64_t& value, std::int64_t low, std::int64_t high) {
    const YamlNode* node = map.get(key);
    if (node != nullptr) value = yaml_integer(*node, key, low, high, faults).value_or(value);
  };
  read("margin", profile.margin, 1, 65535);  // what sbatch --signal takes
  read("tasks", profile.tasks, 1, 1'000'000);
  read("slots", profile.slots, 1, 1024);
  read("requeues", profile.requeues, 0, 100'000);
  const YamlNode* margin = map.get("margin");
  if (profile.seconds == 0 || profile.margin < profile.seconds) return;
  const YamlNode* time = map.get("time");
  faults.add(margin != nullptr ? margin->at : time->at, fmt::format("margin: {} seconds", profile.margin),
             fmt::format("less than the time limit, {} seconds", profile.seconds));
}

}  // namespace

std::int64_t slurm_seconds(const std::string& text) {
  const auto dash = text.find('-');
  if (dash == std::string::npos) {
    const auto numbers = numbers_of(text);
    if (numbers.size() == 1) return numbers[0] * 60;
    if (numbers.size() == 2) return numbers[0] * 60 + numbers[1];
    return numbers.size() == 3 ? numbers[0] * 3600 + numbers[1] * 60 + numbers[2] : 0;
  }
  const auto days = numbers_of(text.substr(0, dash)), rest = numbers_of(text.substr(dash + 1));
  if (days.size() != 1 || rest.empty() || rest.size() > 3) return 0;
  std::int64_t seconds = days[0] * 86400, unit = 3600;
  for (const std::int64_t number : rest) {
    seconds += number * unit;
    unit /= 60;
  }
  return seconds;
}

SlurmProfile read_slurm_profile(const std::filesystem::path& file) {
  Faults faults(file.string());
  const YamlNode root = parse_yaml(read_text_file(file, 1u << 20), faults);
  SlurmProfile profile;
  const YamlMap map(root, "",
                    {"partition", "account", "qos", "constraint", "gres", "memory", "time", "margin", "tasks", "slots",
                     "requeues", "options", "setup"},
                    faults);
  const auto text = [&](const char* key, std::string& value) {
    const YamlNode* node = map.get(key);
    if (node != nullptr) value = yaml_text(*node, key, faults).value_or("");
  };
  text("partition", profile.partition);
  text("account", profile.account);
  text("qos", profile.qos);
  text("constraint", profile.constraint);
  text("gres", profile.gres);
  text("memory", profile.memory);
  read_time(map, profile, root.at, faults);
  read_numbers(map, profile, faults);
  if (const YamlNode* node = map.get("options")) profile.options = yaml_texts(*node, "options", faults);
  if (const YamlNode* node = map.get("setup")) profile.setup = yaml_texts(*node, "setup", faults);
  faults.raise();
  return profile;
}

}  // namespace atelier
