#include "framework/formats/cloneofsimo.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/quote.h"
#include "framework/formats/lora_parts.h"

namespace atelier {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  for (;;) {
    const auto dot = path.find('.');
    segments.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return segments;
    path.remove_prefix(dot + 1);
  }
}

std::optional<std::size_t> number(std::string_view text) {
  std::size_t value = 0;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Children in the order in which PyTorch's modules register them; names that are not siblings may stand in any order.
constexpr std::array<std::string_view, 36> kRegistered = {
    "conv_in",        "time_embedding", "add_embedding", "down_blocks", "up_blocks",
    "mid_block",      "conv_norm_out",  "conv_out",      "attentions",  "resnets",
    "downsamplers",   "upsamplers",     "norm",          "proj_in",     "transformer_blocks",
    "proj_out",       "attn1",          "attn2",         "ff",          "to_q",
    "to_k",           "to_v",           "to_out",        "conv1",       "time_emb_proj",
    "conv2",          "conv_shortcut",  "self_attn",     "mlp",         "k_proj",
    "v_proj",         "q_proj",         "out_proj",      "fc1",         "fc2",
    "text_projection"};

std::size_t place_of(std::string_view segment, bool feed_forward_first) {
  if (const auto index = number(segment)) return *index;
  if (feed_forward_first && segment == "ff")
    segment = "attn2";
  else if (feed_forward_first && segment == "attn2")
    segment = "ff";
  const auto* found = std::find(kRegistered.begin(), kRegistered.end(), segment);
  return static_cast<std::size_t>(found - kRegistered.begin());
}

std::vector<std::size_t> position(std::string_view path, bool feed_forward_first) {
  std::vector<std::size_t> places;
  for (const auto segment : split(path)) places.push_back(place_of(segment, feed_forward_first));
  return places;
}

/// Classes of the modules above a layer (and, for GEGLU, of the module whose child it is).
std::vector<std::string_view> classes_above(std::string_view path) {
  const auto segments = split(path);
  std::vector<std::string_view> classes;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    const auto segment = segments[i];
    const bool last_net = segment == "net" && segments[i + 1] == "0";
    if (segment == "attn1" || segment == "attn2") classes.insert(classes.end(), {"CrossAttention", "Attention"});
    if (last_net) classes.push_back("GEGLU");
    if (segment == "ff") classes.push_back("FeedForward");
    if (segment == "transformer_blocks") classes.push_back("BasicTransformerBlock");
    if (segment == "attentions") classes.push_back("Transformer2DModel");
    if (segment == "resnets") classes.push_back("ResnetBlock2D");
    if (segment == "downsamplers") classes.push_back("Downsample2D");
    if (segment == "upsamplers") classes.push_back("Upsample2D");
    if (segment == "self_attn") classes.push_back("CLIPAttention");
    if (segment == "mlp") classes.push_back("CLIPMLP");
    if (segment == "layers") classes.push_back("CLIPEncoderLayer");
  }
  return classes;
}

bool has_convolutions(const ClassNames& classes) {
  constexpr std::array<std::string_view, 4> kExtended = {"ResnetBlock2D", "Downsample2D", "Upsample2D",
                                                         "Transformer2DModel"};
  return std::any_of(classes.begin(), classes.end(), [&](const std::string& name) {
    return std::find(kExtended.begin(), kExtended.end(), name) != kExtended.end();
  });
}

bool passes(std::string_view path, std::string_view layers) {
  if (layers.empty() || layers == "full") return true;
  if (!path.ends_with(".to_k") && !path.ends_with(".to_v")) return false;
  const bool cross = path.find(".attn2.") != std::string_view::npos;
  return layers == "cross+self" || (layers == "cross") == cross;
}

/// Whether two shapes agree but for ones at the end, as of kernels of one pixel.
bool same_but_ones(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  const auto size = std::max(a.size(), b.size());
  const auto dimension = [](const std::vector<std::int64_t>& shape, std::size_t i) {
    return i < shape.size() ? shape[i] : 1;
  };
  for (std::size_t i = 0; i < size; ++i) {
    if (dimension(a, i) != dimension(b, i)) return false;
  }
  return true;
}

bool fits(const CloneofsimoHalves& halves, const WeightShape& weight) {
  if (halves.down->shape.empty()) return false;
  const auto rank = halves.down->shape.front();
  auto down = weight;
  down[0] = rank;
  return same_but_ones(halves.down->shape, down) && same_but_ones(halves.up->shape, {weight[0], rank});
}

bool all_fit(const std::vector<CloneofsimoHalves>& halves, const Modules& modules,
             const std::vector<std::string>& layers) {
  if (halves.size() != layers.size()) return false;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    if (!fits(halves[i], modules.at(layers[i]))) return false;
  }
  return true;
}

}  // namespace

std::vector<Walk> walks_below(const ClassNames& classes) {
  const bool blocks = std::find(classes.begin(), classes.end(), "BasicTransformerBlock") != classes.end();
  std::vector<Walk> walks;
  for (const char* layers : {"cross", "self", "cross+self", "full"}) {
    if (!blocks && layers != std::string_view("full")) continue;
    for (const bool feed_forward_first : {true, false}) walks.push_back({feed_forward_first, blocks ? layers : ""});
  }
  return walks;
}

ClassNames default_classes(std::string_view component) {
  if (component == "unet") return {"CrossAttention", "Attention", "GEGLU"};
  return {"CLIPAttention"};
}

std::vector<std::string> walk_layers(const Modules& modules, const ClassNames& classes, const Walk& walk) {
  std::vector<std::pair<std::vector<std::size_t>, std::string>> layers;
  const bool convolutions = has_convolutions(classes);
  for (const auto& [path, shape] : modules) {
    const auto above = classes_above(path);
    const bool wanted = std::find_first_of(above.begin(), above.end(), classes.begin(), classes.end()) != above.end();
    if (!wanted || !passes(path, walk.layers) || (shape.size() == 4 && !convolutions)) continue;
    layers.emplace_back(position(path, walk.feed_forward_first), path);
  }
  std::sort(layers.begin(), layers.end());
  std::vector<std::string> paths;
  for (auto& [place, path] : layers) paths.push_back(std::move(path));
  return paths;
}

std::optional<CloneofsimoKey> parse_cloneofsimo_key(std::string_view key) {
  const auto first = key.find(':');
  const auto second = first == std::string_view::npos ? first : key.find(':', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto index = number(key.substr(first + 1, second - first - 1));
  const auto leaf = key.substr(second + 1);
  if (!index || (leaf != "up" && leaf != "down")) return std::nullopt;
  return CloneofsimoKey{std::string(key.substr(0, first)), *index, leaf == "up" ? LoraLeaf::up : LoraLeaf::down};
}

bool is_cloneofsimo_token(const TensorFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  return found != file.metadata.end() && found->second == "<embed>";
}

std::vector<std::string> fitting_layers(const std::vector<CloneofsimoHalves>& halves, const Modules& modules,
                                        const std::vector<ClassNames>& alternatives, const std::string& where) {
  std::set<std::size_t> counts;
  std::vector<std::string> tried;
  for (const auto& classes : alternatives) {
    tried.push_back(join(classes));
    for (const auto& walk : walks_below(classes)) {
      auto layers = walk_layers(modules, classes, walk);
      if (all_fit(halves, modules, layers)) return layers;
      counts.insert(layers.size());
    }
  }
  throw Error({.where = where,
               .found = fmt::format("{} pairs of matrices for the layers of {}", halves.size(), join(tried, " or ")),
               .expected = fmt::format("{} pairs with the shapes of this model's layers", fmt::join(counts, " or ")),
               .advice = "check that it was made for this base model"});
}

}  // namespace atelier
