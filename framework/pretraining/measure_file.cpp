#include "framework/pretraining/measure_file.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <map>
#include <tuple>

#include "framework/config/yaml.h"
#include "framework/core/atomic_file.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMost = 1'000'000;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// One mapping, read into what it fills.
class Section {
 public:
  Section(const YamlNode& node, std::string path, const std::vector<std::string>& keys, Faults& faults)
      : node_(node), path_(std::move(path)), map_(node, path_, keys, faults), faults_(faults) {}

  /// Null when the key is absent, which is a fault where it is needed.
  const YamlNode* find(const char* key, bool needed = false) {
    const YamlNode* node = map_.get(key);
    const bool is_map = node_.kind == YamlNode::Kind::map;  // anything else is a fault already
    if (node == nullptr && needed && is_map) faults_.add(node_.at, fmt::format("no key \"{}\"", path(key)), "the key");
    return node;
  }
  void text(const char* key, std::string& into, bool needed = false) {
    if (const YamlNode* node = find(key, needed)) into = yaml_text(*node, path(key), faults_).value_or(into);
  }
  void integer(const char* key, std::int64_t low, std::int64_t& into) {
    if (const YamlNode* node = find(key)) into = yaml_integer(*node, path(key), low, kMost, faults_).value_or(into);
  }
  void number(const char* key, double high, double& into, bool needed = false) {
    const YamlNode* node = find(key, needed);
    if (node != nullptr) into = number(*node, path(key), high, faults_).value_or(into);
  }
  void share(const char* key, double& into, bool needed = false) { number(key, 1.0, into, needed); }
  void share(const char* key, std::optional<double>& into) {
    if (const YamlNode* node = find(key, true)) into = number(*node, path(key), 1.0, faults_);
  }

  [[nodiscard]] static std::optional<double> number(const YamlNode& node, const std::string& path, double high,
                                                    Faults& faults) {
    const auto value = yaml_number(node, path, 0.0, faults);
    if (!value || *value <= high) return value;
    faults.add(node.at, fmt::format("{}: {}", path, *value), fmt::format("a number from 0 to {}", high),
               high == 1.0 ? "write a share, not a percentage" : "");
    return std::nullopt;
  }
  [[nodiscard]] std::string path(const char* key) const { return path_.empty() ? key : path_ + "." + key; }

 private:
  const YamlNode& node_;
  std::string path_;
  YamlMap map_;
  Faults& faults_;
};

void read_scenes(Section& section, MeasuredScenes& into) {
  section.text("scenes", into.scenes, true);
  section.integer("count", 1, into.count);
}

void read_vae(const YamlNode& node, VAEQuality& into, Faults& faults) {
  Section section(node, "vae", {"scenes", "count", "psnr"}, faults);
  read_scenes(section, into.on);
  section.number("psnr", kNoLimit, into.psnr, true);
}

void read_clip(const YamlNode& node, ClipQuality& into, Faults& faults) {
  Section section(node, "clip", {"scenes", "count", "retrieval", "instances"}, faults);
  read_scenes(section, into.on);
  if (const YamlNode* found = section.find("retrieval")) {
    Section retrieval(*found, "clip.retrieval", {"captions", "draws", "top1"}, faults);
    retrieval.integer("captions", 2, into.captions);
    retrieval.integer("draws", 1, into.draws);
    retrieval.share("top1", into.top1);
  }
  if (const YamlNode* found = section.find("instances")) {
    Section instances(*found, "clip.instances", {"auc"}, faults);
    instances.share("auc", into.auc);
  }
}

void read_segmenter(const YamlNode& node, SegmenterQuality& into, Faults& faults) {
  Section section(node, "segmenter", {"scenes", "count", "threshold", "iou"}, faults);
  read_scenes(section, into.on);
  section.share("threshold", into.threshold);
  section.share("iou", into.iou, true);
}

void read_judge(const YamlNode& node, JudgeQuality& into, Faults& faults) {
  Section section(node, "judge", {"scenes", "count", "accuracy"}, faults);
  read_scenes(section, into.on);
  section.share("accuracy", into.accuracy, true);
}

void read_sampler(const YamlNode& node, MeasureSampler& into, Faults& faults) {
  Section section(node, "sampler", {"scheduler", "steps", "guidance_scale", "seed", "batch"}, faults);
  section.text("scheduler", into.scheduler);
  section.integer("steps", 1, into.steps);
  section.number("guidance_scale", kNoLimit, into.guidance_scale);
  section.integer("seed", 0, into.seed);
  section.integer("batch", 1, into.batch);
}

MeasuredPrompt read_prompt(const YamlNode& node, const std::string& path, Faults& faults) {
  MeasuredPrompt read;
  Section section(node, path, {"prompt", "attributes"}, faults);
  section.text("prompt", read.prompt, true);
  const YamlNode* attributes = section.find("attributes", true);
  if (attributes == nullptr) return read;
  const std::string place = section.path("attributes");
  if (attributes->kind != YamlNode::Kind::map || attributes->entries.empty()) {
    faults.add(attributes->at, fmt::format("{}: {}", place, describe(*attributes)),
               "a mapping of attributes to values");
    return read;
  }
  for (const auto& [name, at, value] : attributes->entries) {
    if (const auto text = yaml_text(value, place + "." + name, faults)) read.attributes.emplace(name, *text);
  }
  return read;
}

/// The two texts of a list; faults where it has not two, or twice the same.
std::array<std::string, 2> read_two(Section& section, const char* key, Faults& faults) {
  const YamlNode* node = section.find(key, true);
  if (node == nullptr) return {};
  const auto before = faults.size();
  const auto texts = yaml_texts(*node, section.path(key), faults);
  if (texts.size() == 2) return {texts[0], texts[1]};
  if (faults.size() == before) {
    faults.add(node->at, fmt::format("{}: {} texts", section.path(key), texts.size()), "two, which differ");
  }
  return {};
}

WordSwap read_swap(const YamlNode& node, const std::string& path, Faults& faults) {
  WordSwap swap;
  Section section(node, path, {"prompts", "attribute", "values"}, faults);
  std::tie(swap.from, swap.to) = std::tuple_cat(read_two(section, "prompts", faults));
  section.text("attribute", swap.attribute, true);
  std::tie(swap.from_value, swap.to_value) = std::tuple_cat(read_two(section, "values", faults));
  return swap;
}

template <typename Item>
using ReadItem = Item (*)(const YamlNode&, const std::string&, Faults&);

template <typename Item>
std::vector<Item> read_items(const YamlNode& node, const std::string& path, ReadItem<Item> read, Faults& faults) {
  std::vector<Item> items;
  if (node.kind != YamlNode::Kind::list || node.items.empty()) {
    const auto found = node.kind == YamlNode::Kind::list ? "an empty list" : describe(node);
    faults.add(node.at, fmt::format("{}: {}", path, found), "a list, or the name of a file with one");
    return items;
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    items.push_back(read(node.items[i], fmt::format("{}[{}]", path, i), faults));
  }
  return items;
}

/// A list that stands here, or as `listed` in the file beside this one that is named here.
template <typename Item>
std::vector<Item> read_list(Section& section, const char* key, const char* listed, const fs::path& file,
                            ReadItem<Item> read, Faults& faults) {
  const YamlNode* node = section.find(key, true);
  if (node == nullptr) return {};
  if (node->kind != YamlNode::Kind::scalar) return read_items(*node, section.path(key), read, faults);
  const auto name = yaml_text(*node, section.path(key), faults);
  if (!name) return {};
  const fs::path other = file.parent_path() / *name;
  Faults inner(other.string());
  const YamlNode root = parse_yaml(read_text_file(other), inner);
  Section lists(root, "", {"prompts", "swaps"}, inner);
  const YamlNode* list = lists.find(listed, true);
  auto items = list == nullptr ? std::vector<Item>() : read_items(*list, listed, read, inner);
  inner.raise();
  return items;
}

void read_samples(const YamlNode& node, const fs::path& file, SamplesQuality& into, Faults& faults) {
  Section section(node, "samples", {"prompts", "per_prompt", "judged"}, faults);
  into.prompts = read_list<MeasuredPrompt>(section, "prompts", "prompts", file, read_prompt, faults);
  section.integer("per_prompt", 1, into.per_prompt);
  const YamlNode* judged = section.find("judged", true);
  if (judged == nullptr) return;
  if (judged->kind != YamlNode::Kind::map || judged->entries.empty()) {
    faults.add(judged->at, "samples.judged: " + describe(*judged), "a mapping of attributes to shares");
    return;
  }
  for (const auto& [name, at, value] : judged->entries) {
    if (const auto share = Section::number(value, "samples.judged." + name, 1.0, faults)) into.judged[name] = *share;
  }
}

void read_swaps(const YamlNode& node, const fs::path& file, SwapsQuality& into, Faults& faults) {
  Section section(node, "swaps", {"pairs", "each", "changed", "kept"}, faults);
  into.pairs = read_list<WordSwap>(section, "pairs", "swaps", file, read_swap, faults);
  std::int64_t each = kMost;
  section.integer("each", 1, each);
  std::map<std::string, std::int64_t> seen;
  std::erase_if(into.pairs, [&](const WordSwap& swap) { return ++seen[swap.attribute] > each; });
  section.share("changed", into.changed, true);
  section.share("kept", into.kept, true);
}

void read_root(const YamlNode& node, QualityFile& file, Faults& faults) {
  Section root(node, "", {"vae", "clip", "segmenter", "judge", "samples", "swaps", "sampler"}, faults);
  if (const YamlNode* found = root.find("vae")) read_vae(*found, file.vae.emplace(), faults);
  if (const YamlNode* found = root.find("clip")) read_clip(*found, file.clip.emplace(), faults);
  if (const YamlNode* found = root.find("segmenter")) read_segmenter(*found, file.segmenter.emplace(), faults);
  if (const YamlNode* found = root.find("judge")) read_judge(*found, file.judge.emplace(), faults);
  if (const YamlNode* found = root.find("samples")) read_samples(*found, file.path, file.samples.emplace(), faults);
  if (const YamlNode* found = root.find("swaps")) read_swaps(*found, file.path, file.swaps.emplace(), faults);
  if (const YamlNode* found = root.find("sampler")) read_sampler(*found, file.sampler, faults);
}

}  // namespace

QualityFile read_quality_file(const fs::path& path) {
  QualityFile file;
  file.path = path;
  Faults faults(path.string());
  const YamlNode root = parse_yaml(read_text_file(path), faults);
  read_root(root, file, faults);
  faults.raise();
  return file;
}

}  // namespace atelier
