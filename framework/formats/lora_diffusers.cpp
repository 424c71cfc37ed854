#include "framework/formats/lora_diffusers.h"

#include <array>
#include <utility>

namespace atelier {
namespace {

struct Ending {
  std::string_view text;
  LoraLeaf leaf;
};

constexpr std::array<Ending, 6> kEndings = {{{".lora.down.weight", LoraLeaf::down},
                                             {".lora.up.weight", LoraLeaf::up},
                                             {".lora_linear_layer.down.weight", LoraLeaf::down},
                                             {".lora_linear_layer.up.weight", LoraLeaf::up},
                                             {"_lora.down.weight", LoraLeaf::down},
                                             {"_lora.up.weight", LoraLeaf::up}}};

/// The layers of 2023's attention processors: "attn1.processor.to_q_lora" holds the addition to "attn1.to_q".
using Pair = std::pair<std::string_view, std::string_view>;
constexpr std::array<Pair, 4> kProcessorUNet = {
    {{".to_q", ".to_q"}, {".to_k", ".to_k"}, {".to_v", ".to_v"}, {".to_out", ".to_out.0"}}};
constexpr std::array<Pair, 4> kProcessorText = {
    {{".to_q", ".q_proj"}, {".to_k", ".k_proj"}, {".to_v", ".v_proj"}, {".to_out", ".out_proj"}}};

constexpr std::string_view kPeftPrefix = "base_model.model.";
constexpr std::array<std::string_view, 3> kComponents = {"unet", "text_encoder", "text_encoder_2"};

bool remove_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

/// ".lora_A.weight", and ".lora_A.default.weight" where the adapter's name was left in.
std::optional<LoraLeaf> remove_peft_ending(std::string_view& path) {
  for (const auto& [mark, leaf] : {std::pair(".lora_A", LoraLeaf::down), std::pair(".lora_B", LoraLeaf::up)}) {
    const auto at = path.rfind(mark);
    auto rest = at == std::string_view::npos ? "" : path.substr(at + std::string_view(mark).size());
    if (!remove_suffix(rest, ".weight")) continue;
    if (!rest.empty() && (rest.front() != '.' || rest.find('.', 1) != std::string_view::npos)) continue;
    path = path.substr(0, at);
    return leaf;
  }
  return std::nullopt;
}

struct Stem {
  std::string_view path;
  LoraLeaf leaf;
  bool processor;  // the layer is named as 2023's attention processors did
};

std::optional<Stem> remove_ending(std::string_view key) {
  if (const auto leaf = remove_peft_ending(key)) return Stem{key, *leaf, false};
  for (const auto& [text, leaf] : kEndings) {
    if (remove_suffix(key, text)) return Stem{key, leaf, text.front() == '_'};
  }
  if (!remove_suffix(key, ".alpha")) return std::nullopt;
  if (!remove_suffix(key, ".lora")) remove_suffix(key, ".lora_linear_layer");
  const bool processor = remove_suffix(key, "_lora");
  return Stem{key, LoraLeaf::alpha, processor};
}

std::string without_processor(std::string_view path) {
  constexpr std::string_view kProcessor = ".processor.";
  std::string result(path);
  if (const auto at = result.find(kProcessor); at != std::string::npos) result.erase(at, kProcessor.size() - 1);
  return result;
}

/// Nothing when a processor's name is none of the four.
std::optional<std::string> layer_path(std::string path, bool processor, bool text_encoder) {
  if (!processor) return path;
  for (const auto& [name, layer] : text_encoder ? kProcessorText : kProcessorUNet) {
    if (!path.ends_with(name)) continue;
    path.resize(path.size() - name.size());
    return path.append(layer);
  }
  return std::nullopt;
}

}  // namespace

std::optional<DiffusersKey> parse_diffusers_key(std::string_view key) {
  if (key.starts_with(kPeftPrefix)) key.remove_prefix(kPeftPrefix.size());
  const auto stem = remove_ending(key);
  if (!stem) return std::nullopt;
  auto path = without_processor(stem->path);
  DiffusersKey result{.component = "", .path = "", .leaf = stem->leaf};
  for (const auto component : kComponents) {
    if (!path.starts_with(std::string(component) + ".")) continue;
    result.component = component;
    path.erase(0, component.size() + 1);
    break;
  }
  const bool text_encoder = path.find(".self_attn.") != std::string::npos;
  auto layer = layer_path(std::move(path), stem->processor, text_encoder);
  if (!layer) return std::nullopt;
  result.path = std::move(*layer);
  return result;
}

}  // namespace atelier
