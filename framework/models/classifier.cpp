#include "framework/models/classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/config_reader.h"

namespace atelier {
namespace {

constexpr std::size_t kMostLevels = 8;
constexpr std::size_t kMostValues = 10'000;

/// A name becomes part of a parameter's name, in which dots separate.
bool is_plain(const std::string& name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 100 && std::ranges::all_of(name, plain);
}

std::vector<ClassifierConfig::Attribute> attributes(const ConfigReader& reader) {
  const Json* value = reader.find("attributes");
  const std::string expected = "an object: each attribute's name (a to z, 0 to 9, _ and -) with a list of its values";
  if (value == nullptr || !value->is_object() || value->empty()) {
    reader.fail("attributes", value == nullptr ? "nothing" : value->dump(), expected);
  }
  const ConfigReader inner(*value, reader.where());
  std::vector<ClassifierConfig::Attribute> attributes;
  for (const auto& [name, values] : value->items()) {
    if (!is_plain(name)) reader.fail("attributes", fmt::format("\"{}\"", name), expected);
    auto texts = inner.texts(name.c_str(), {});
    if (texts.size() < 2 || texts.size() > kMostValues) {
      inner.fail(name.c_str(), fmt::format("{} values", texts.size()), "at least 2 values");
    }
    attributes.push_back({.name = name, .values = std::move(texts)});
  }
  return attributes;
}

}  // namespace

std::optional<std::size_t> ClassifierConfig::find(const std::string& attribute) const {
  const auto found = std::ranges::find(attributes, attribute, &Attribute::name);
  if (found == attributes.end()) return std::nullopt;
  return static_cast<std::size_t>(found - attributes.begin());
}

ClassifierConfig parse_classifier_config(const Json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  const auto type = reader.text("model_type", "");
  if (type != "attribute_classifier") reader.fail("model_type", '"' + type + '"', "\"attribute_classifier\"");
  ClassifierConfig parsed;
  if (const Json* listed = reader.find("channels"); listed != nullptr) {
    const std::size_t levels = listed->is_array() ? listed->size() : 0;
    if (levels < 1 || levels > kMostLevels) reader.fail("channels", listed->dump(), "a list of 1 to 8 widths");
    parsed.channels = reader.integers("channels", levels, {});
  }
  parsed.image_size = reader.bounded("image_size", 64, 4096);
  if (parsed.image_size >> parsed.channels.size() < 1) {
    reader.fail(
        "image_size", std::to_string(parsed.image_size),
        fmt::format("at least {}, which {} levels halve to 1", 1 << parsed.channels.size(), parsed.channels.size()));
  }
  parsed.layers_per_block = reader.bounded("layers_per_block", 1, 100);
  parsed.groups = reader.bounded("norm_num_groups", 8, 1'000'000);
  for (const auto width : parsed.channels) {
    if (width % parsed.groups != 0) {
      reader.fail("norm_num_groups", std::to_string(parsed.groups), "a divisor of every number of channels");
    }
  }
  parsed.attributes = attributes(reader);
  return parsed;
}

AttributeClassifier::AttributeClassifier(const Json& config, Weights weights)
    : config_(parse_classifier_config(config, weights.where())),
      placement_(weights.placement()),
      where_(weights.where()) {
  const Scope root(weights, registry_);
  const auto& channels = config_.channels;
  conv_in_.emplace(root / "conv_in", 3, channels.front(), Conv2d::Geometry{.stride = 2});
  for (std::size_t i = 0; i < channels.size(); ++i) {
    levels_.push_back(
        make_level(root / "blocks" / i, channels[i == 0 ? 0 : i - 1], channels[i], i + 1 == channels.size()));
  }
  norm_out_.emplace(root / "norm_out", config_.groups, channels.back(), 1e-5);
  for (const auto& attribute : config_.attributes) {
    heads_.push_back(std::make_unique<Linear>(root / "heads" / attribute.name, channels.back(),
                                              static_cast<std::int64_t>(attribute.values.size())));
  }
  weights.check();
}

AttributeClassifier::~AttributeClassifier() = default;

std::unique_ptr<AttributeClassifier::Level> AttributeClassifier::make_level(const Scope& scope, std::int64_t in,
                                                                            std::int64_t out, bool last) const {
  auto level = std::make_unique<Level>();
  for (std::int64_t i = 0; i < config_.layers_per_block; ++i) {
    const ResnetBlock::Options options{.in = i == 0 ? in : out, .out = out, .groups = config_.groups};
    level->resnets.push_back(std::make_unique<ResnetBlock>(scope / "resnets" / static_cast<std::size_t>(i), options));
  }
  if (!last) level->downsample.emplace(scope / "downsample", out, Downsample::Padding::symmetric);
  return level;
}

std::vector<Tensor> AttributeClassifier::forward(const Tensor& pixels) const {
  if (pixels.dim() != 4 || pixels.size(1) != 3 || pixels.size(2) != config_.image_size ||
      pixels.size(3) != config_.image_size || pixels.numel() == 0) {
    throw Error({.where = where_ + ": pixels",
                 .found = describe(pixels.sizes(), pixels.scalar_type()),
                 .expected = fmt::format("[B, 3, {0}, {0}] in [-1, 1]", config_.image_size)});
  }
  const Tensor placed = pixels.to(placement_.device, placement_.dtype).contiguous(at::MemoryFormat::ChannelsLast);
  Tensor x = conv_in_->forward(placed);  // [B, channels[0], S/2, S/2]
  for (const auto& level : levels_) {
    for (const auto& block : level->resnets) x = block->forward(x, {}, nullptr);
    if (level->downsample.has_value()) x = level->downsample->forward(x, nullptr);
  }
  const std::array<std::int64_t, 2> plane{2, 3};
  const Tensor features = activate(norm_out_->forward(x), Activation::silu).mean(plane);  // [B, channels.back()]
  std::vector<Tensor> logits;
  for (const auto& head : heads_) logits.push_back(head->forward(features));
  return logits;
}

}  // namespace atelier
