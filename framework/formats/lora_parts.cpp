#include "framework/formats/lora_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/quote.h"
#include "framework/formats/lora_values.h"

namespace atelier {
namespace {

constexpr std::size_t kListedKeys = 20;

struct OtherAdapter {
  std::string_view mark;  // part of a key
  std::string_view kind;
};

constexpr std::array<OtherAdapter, 12> kOtherAdapters = {{{"lora_magnitude_vector", "DoRA"},
                                                          {"dora_scale", "DoRA"},
                                                          {"lora_mid", "LyCORIS LoCon with a Tucker core"},
                                                          {"hada_w", "LyCORIS LoHa"},
                                                          {"hada_t", "LyCORIS LoHa"},
                                                          {"lokr_w", "LyCORIS LoKr"},
                                                          {"lokr_t", "LyCORIS LoKr"},
                                                          {".oft_", "OFT"},
                                                          {".boft_", "BOFT"},
                                                          {".on_input", "LyCORIS (IA)^3"},
                                                          {".lora_B.bias", "LoRA with biases"},
                                                          {".diff_b", "LyCORIS full"}}};

WeightShape without_ones(WeightShape shape) {
  while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
  return shape;
}

}  // namespace

std::optional<std::string> resolve_path(const ModuleNames& target, const std::string& component,
                                        const std::string& path) {
  if (target.find(component, path) != nullptr) return path;
  if (auto full = "text_model." + path; target.find(component, full) != nullptr) return full;
  return std::nullopt;
}

std::string place(const std::string& file, std::string_view key) { return fmt::format("{}: {}", file, quote(key)); }

void refuse_unknown_keys(const std::string& file, const std::vector<std::string>& keys) {
  if (keys.empty()) return;
  std::vector<std::string> quoted;
  for (std::size_t i = 0; i < keys.size() && i < kListedKeys; ++i) quoted.push_back(quote(keys[i]));
  auto list = join(quoted);
  if (keys.size() > kListedKeys) list += fmt::format(" … and {} more", keys.size() - kListedKeys);
  throw Error({.where = file,
               .found = fmt::format("{} that name no layer of this model: {}",
                                    keys.size() == 1 ? "1 key" : fmt::format("{} keys", keys.size()), list),
               .expected = "tensors of a LoRA for this model",
               .advice = "check that it was made for this base model"});
}

void refuse_other_adapters(const TensorFile& file) {
  for (const auto& [key, view] : file.tensors) {
    for (const auto& [mark, kind] : kOtherAdapters) {
      if (key.find(mark) == std::string::npos) continue;
      throw Error({.where = place(file.path, key),
                   .found = fmt::format("an adapter of the kind {}", kind),
                   .expected = "a plain LoRA (down and up matrices)",
                   .advice = "merge it into the base model with the program that made it"});
    }
  }
}

void LoraParts::add(const LoraKey& key, const std::string& name, const TensorView& view) {
  auto& layer = layers_[{key.component, key.path}];
  auto& part = key.leaf == LoraLeaf::down ? layer.down : key.leaf == LoraLeaf::up ? layer.up : layer.alpha;
  if (part) {
    throw Error({.where = place(file_, name),
                 .found = fmt::format("the same part of the same layer as {}", quote(part->name)),
                 .expected = "every layer once"});
  }
  part = Part{name, view};
  has_alphas_ = has_alphas_ || key.leaf == LoraLeaf::alpha;
}

std::vector<LoraEntry> LoraParts::entries(const DefaultAlpha& default_alpha) const {
  std::vector<LoraEntry> entries;
  for (const auto& [module, layer] : layers_) {
    const auto* half = layer.down ? &*layer.down : layer.up ? &*layer.up : &*layer.alpha;
    if (!layer.down || !layer.up) {
      throw Error({.where = place(file_, half->name),
                   .found = fmt::format("layer {}.{} without its {} matrix", module.first, module.second,
                                        layer.down ? "up" : "down"),
                   .expected = "both halves of every layer"});
    }
    entries.push_back(entry(module, layer, default_alpha));
  }
  return entries;
}

LoraEntry LoraParts::entry(const Module& module, const Layer& layer, const DefaultAlpha& default_alpha) const {
  const auto& [component, path] = module;
  const auto& weight = *target_.find(component, path);
  const auto rank = layer.down->view.shape.empty() ? 0 : layer.down->view.shape.front();
  WeightShape down = weight;
  down[0] = rank;
  WeightShape up(weight.size(), 1);
  up[0] = weight[0];
  up[1] = rank;
  LoraEntry entry{.module = component + "." + path,
                  .down = fit(*layer.down, down),
                  .up = fit(*layer.up, up),
                  .alpha = static_cast<double>(rank),
                  .rank = rank};
  if (layer.alpha) {
    entry.alpha = scalar_of(layer.alpha->view, place(file_, layer.alpha->name));
    if (!std::isfinite(entry.alpha)) {
      throw Error({.where = place(file_, layer.alpha->name),
                   .found = fmt::format("alpha {}", entry.alpha),
                   .expected = "a finite number"});
    }
  } else if (default_alpha) {
    entry.alpha = default_alpha(component, path, rank).value_or(entry.alpha);
  }
  if (entry.alpha == 0.0) entry.alpha = static_cast<double>(rank);
  return entry;
}

TensorView LoraParts::fit(const Part& part, const WeightShape& shape) const {
  auto view = part.view;
  if (!is_floating(view.dtype) || without_ones(view.shape) != without_ones(shape) || view.numel() == 0) {
    throw Error({.where = place(file_, part.name),
                 .found = describe(view),
                 .expected = fmt::format("[{}] of floating-point numbers to fit the layer", fmt::join(shape, ", ")),
                 .advice = "check that it was made for this base model"});
  }
  if (view.shape == shape) return view;
  return reshaped(contiguous(view), shape);
}

}  // namespace atelier
